"""A dataset on a forge, as the steps see it: its tips, its objects, its known results, its content."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.scope import results_prefix, scope_of, sign_result, verify_result_signature
from tea_runner.core.git.tree import lookup
from tea_runner.core.results.result import Result, ResultError, parse_results
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.dataset.annex import Annex
from tea_runner.dataset.convert_result import ResultConverter
from tea_runner.dataset.git_objects import ObjectReader, ObjectWriter
from tea_runner.dataset.mirror import Mirror
from tea_runner.dataset.result_index import ResultIndex
from tea_runner.dataset.shared_results import SharedResult, SharedResults, bring
from tea_runner.dataset.special_remotes import parse_remote_log
from tea_runner.host.step_hook import step
from tea_runner.ports import Subdatasets

log = logging.getLogger(__name__)

RESULTS = "results.json"


class ForgeDataset:
    """One dataset: a mirror, what is known of its results, and its annex."""

    #: Where branches stand in the mirror.
    branches = "refs/remotes/origin/"
    #: Whether it is a person's clone.
    is_clone = False
    #: Whether results on tips that were pushed away stay known.
    keeps = True

    def __init__(
        self,
        name: str,
        mirror: Mirror,
        annex: Annex,
        *,
        trusted: Sequence[str] = ("*",),
        secret: bytes = b"",
        sign: Callable[[bytes], bytes] | None = None,
        list_refs: Callable[[], Mapping[str, str] | None] | None = None,
        subdatasets: Subdatasets | None = None,
        shared_results: SharedResults | None = None,
    ) -> None:
        """A dataset.

        :param trusted: patterns of the branches whose results every branch may use.
        :param secret: with which workers seal their results; without it, as in a person's own
            clone, whatever stands there counts.
        :param sign: signs results commits; without it they stay unsigned.
        :param list_refs: all refs that a fetch would bring, in one request; None where the forge
            has no such request.
        :param subdatasets: where the dataset's subdatasets are.
        :param shared_results: other repositories whose results count here as well.
        """
        self.name = name
        self._trusted = tuple(trusted)
        self._secret = secret
        self._sign = sign
        self._list_refs = list_refs
        self.mirror = mirror
        self.annex = annex
        self.subdatasets = subdatasets
        self.shared_results = shared_results
        self._found: dict[str, SharedResult] = {}
        self._fitting: ResultConverter | None = None
        self._index: ResultIndex | None = None
        #: A job's ref and commit to the results it holds.
        self._unsettled: dict[tuple[str, str], tuple[Result, ...]] = {}

    @property
    def objects(self) -> ObjectReader:
        """Git objects by id."""
        return self.mirror.objects

    @property
    def index(self) -> ResultIndex:
        """Results that manifests know."""
        if self._index is None:
            self.mirror.ensure()
            self._index = ResultIndex(
                self.mirror, self.branches, trusted=self._trusted, keep=self.keeps
            )
        return self._index

    def refresh(self, *, expected: bool = True) -> None:
        """Learn what the forge has now.

        :param expected: whether news is likely; otherwise a list of refs, which is a small part of a
            fetch, may show that there is none.
        :raises OutsideError: when it does not answer.
        """
        if expected or not self._is_current():
            self.mirror.fetch()
        if self.shared_results is not None:
            self.shared_results.forget()

    def _is_current(self) -> bool:
        there = self._list_refs() if self._list_refs is not None else None
        if there is None:
            return False
        self.mirror.ensure()
        here = self.mirror.refs("refs/")
        ours = (self.branches, "refs/tea/")
        return {ref: oid for ref, oid in here.items() if ref.startswith(ours)} == {
            ref.replace("refs/heads/", self.branches, 1): oid for ref, oid in there.items()
        }

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's end, None when there is no such branch."""
        return self.mirror.refs(self.branches + branch).get(self.branches + branch)

    def annex_tip(self) -> str | None:
        """The tip of the ``git-annex`` branch."""
        return self.tip("git-annex")

    def remote_log(self) -> bytes:
        """The dataset's description of its special remotes."""
        tip = self.annex_tip()
        if tip is None:
            return b""
        entry = lookup(self.objects.tree, self.objects.commit(tip).tree, "remote.log")
        return (self.objects.blob(entry.oid) or b"") if entry else b""

    def prepared_annex(self) -> Annex:
        """The annex with the listed storages enabled."""
        self.annex.prepare(self.remote_log())
        return self.annex

    # -- known results -----------------------------------------------------------------------

    def scope(self, branch: str) -> str:
        """The scope of a branch: the empty text when it is trusted."""
        return scope_of(branch, self._trusted)

    def unsettled_results(self, scope: str = "") -> dict[str, tuple[str, Result]]:
        """Key to (ref, result) of what jobs have finished and no results commit holds yet.

        The scope's own come before trusted ones.  Where two jobs of one scope computed one key, the
        ref that sorts first counts, for every reader; but a result that somebody asked for although
        the key was known comes before all others, the latest wish first.
        """
        found: dict[str, tuple[str, Result]] = {}
        refs = self.mirror.refs("refs/tea/")
        there = set(refs.items())
        for known in list(self._unsettled):
            if known not in there:
                del self._unsettled[known]
        for prefix in dict.fromkeys((results_prefix(scope), results_prefix(""))):
            here: dict[str, tuple[str, Result]] = {}
            for ref, oid in sorted(refs.items()):
                if ref.startswith(prefix):
                    for result in self._results_at(ref, oid):
                        if result.key not in here or result.salt > here[result.key][1].salt:
                            here[result.key] = (ref, result)
            found.update((key, value) for key, value in here.items() if key not in found)
        return found

    def _results_at(self, ref: str, oid: str) -> tuple[Result, ...]:
        if (ref, oid) not in self._unsettled:
            try:
                self._unsettled[ref, oid] = self._read_results(ref, oid)
            except OutsideError as error:
                # Whoever may push can put anything there: what is no result of ours counts as none.
                log.warning(
                    "%s holds no result: %s", ref, error.message, extra={"repository": self.name}
                )
                self._unsettled[ref, oid] = ()
        return self._unsettled[ref, oid]

    def results_message(self, ref: str, title: str, data: bytes) -> str:
        """The message of the commit that holds results: with our seal, where there is one."""
        if not self._secret:
            return f"{title}\n"
        return f"{title}\n\nTea-Seal: {sign_result(self._secret, self.name, ref, data)}\n"

    def put_results(self, ref: str, commit: str) -> None:
        """Make a job's results known; whoever was there first has the same, unless it was no worker.

        :raises OutsideError: when the forge could not be reached or declined.
        """
        if self.publish([(ref, commit, None)]):
            return
        self.refresh()
        there = self.mirror.refs(ref).get(ref)
        if there is not None and not self._results_at(ref, there):
            log.warning(
                "replacing %s: no worker of ours wrote it", ref, extra={"repository": self.name}
            )
            self.publish([(ref, commit, there)])

    def _read_results(self, ref: str, oid: str) -> tuple[Result, ...]:
        commit = self.objects.commit(oid)
        entry = self.objects.tree(commit.tree).get(RESULTS)
        data = self.objects.blob(entry.oid) if entry else None
        if data is None and entry is not None:
            # Larger than what the mirror holds: this one blob is wanted, and only it.
            data = self.mirror.git("cat-file", "blob", entry.oid, why="reading results")
        proof = parse_trailers(commit.message).get("Tea-Seal", "")
        if self._secret and not verify_result_signature(
            self._secret, self.name, ref, data or b"", proof
        ):
            log.warning(
                "%s is not signed by us; it is ignored", ref, extra={"repository": self.name}
            )
            return ()
        try:
            return parse_results(data or b"")
        except ResultError:
            return ()

    def known_commits(self, keys: Sequence[str], scope: str = "") -> dict[str, str]:
        """Which of these keys some manifest that this scope may use knows, with the commit."""
        self.index.update(scope)
        return self.index.known(keys, scope)

    def known_result(self, key: str, scope: str = "") -> Result | None:
        """The result that a manifest knows, here or elsewhere; None when it is not to be had."""
        place, result = self.index.place(key, scope), self.index.result(key, scope)
        if place is not None and result is not None:
            paths = [output.path for output in result.outputs if output.kind != "link"]
            root = self.objects.commit(place.commit).tree
            return replace(
                result, rule=self.converter.attributes_digest(root, place.directory, paths)
            )
        found = self._found.get(key)
        if found is None:
            return None
        return bring(
            found, self.writer(), lambda keys: len(self.content_locations(keys)) == len(set(keys))
        )

    @property
    def converter(self) -> ResultConverter:
        """Fits known results to the places where they are wanted."""
        if self._fitting is None:
            self._fitting = ResultConverter(self.mirror, self.prepared_annex)
        return self._fitting

    def converted_result(self, result: Result, root: str, directory: str) -> Result | None:
        """The result as the dataset's rules want it in a directory; see :class:`ResultConverter`."""
        return self.converter.convert(result, root, directory)

    @property
    def trusted_repositories(self) -> Sequence[str]:
        """Repositories whose results count here as well."""
        return self.shared_results.names() if self.shared_results is not None else ()

    def known_in_other_repositories(self, keys: Sequence[str]) -> dict[str, str]:
        """Which of these keys other repositories have results for, with ``owner/name@commit``."""
        if self.shared_results is None or not keys:
            return {}
        found = self.shared_results.find(keys, set(parse_remote_log(self.remote_log())))
        self._found.update(found)
        return {key: each.place for key, each in found.items()}

    def storage_uuid(self) -> str:
        """Where new annexed content goes."""
        return self.prepared_annex().target[1]

    def content_locations(self, keys: Sequence[str]) -> dict[str, str]:
        """Which of these annex keys have their content, and in which storage."""
        return self.prepared_annex().where(keys)

    # -- publishing --------------------------------------------------------------------------

    def writer(self) -> ObjectWriter:
        """Collects the objects of a commit."""
        return self.mirror.writer(self._sign)

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move refs of the forge all or none; see :meth:`Mirror.push`."""
        what = _step(updates)
        with step(what):
            done = self.mirror.push(updates)
        if done:
            self._note(updates)
        return done

    def delete_job_refs(self, refs: Sequence[str]) -> None:
        """Delete refs of jobs that are settled: here at once, on the forge in pieces."""
        known = self.mirror.refs("refs/tea/")
        gone = [(ref, "", known[ref]) for ref in refs if ref in known]
        for start in range(0, len(gone), 200):
            chunk: list[tuple[str, str, str | None]] = list(gone[start : start + 200])
            with contextlib.suppress(OutsideError):
                self.publish(chunk)

    def _note(self, updates: Sequence[tuple[str, str, str | None]]) -> None:
        """What we moved ourselves is known here without another request."""
        there = self.mirror.refs("refs/")
        lines = []
        for ref, new, _ in updates:
            local = ref.replace("refs/heads/", self.branches, 1)
            # Most of it git itself has noted when it pushed.
            if there.get(local, "") != new:
                lines.append(f"update {local} {new}" if new else f"delete {local}")
        if lines:
            self.mirror.update(lines)

    def close(self) -> None:
        """End the processes behind it."""
        self.annex.close()
        self.mirror.close()
        if self.subdatasets is not None:
            self.subdatasets.close()
        if self.shared_results is not None:
            self.shared_results.close()
        if self._fitting is not None:
            self._fitting.close()
            self._fitting = None
        if self._index is not None:
            self._index.close()
            self._index = None


def _step(updates: Sequence[tuple[str, str, str | None]]) -> str:
    """What tests call this push."""
    if any(ref.startswith("refs/heads/") for ref, _, _ in updates):
        return "settle"
    return "push" if any(new for _, new, _ in updates) else "discard"
