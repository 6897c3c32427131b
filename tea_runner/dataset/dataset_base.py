"""What datasets on a forge and in clones have in common: tips, objects, known results and content."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.results.result import Result
from tea_runner.core.results.results_branch import (
    BranchTips,
    ResultsPlace,
    branch_tips,
    results_branch,
    used_output_branch,
)
from tea_runner.core.results.signed_manifest_row import Accepts, SignedResult, accept_all
from tea_runner.dataset.annex_branch_files import annex_branch_file, default_largefiles
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.convert_result_storage import ResultConverter
from tea_runner.dataset.described_remotes import parse_remote_log
from tea_runner.dataset.fetchable_annex_keys import OwnKeys
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.job_result_refs import JobResultRefs
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.dataset.result_index import ResultIndex
from tea_runner.dataset.shared_results import SharedResults, copy_result
from tea_runner.dataset.tick_refs import TickRefs, tick_ref
from tea_runner.dataset.verify_manifest_signatures import ManifestProofs
from tea_runner.ports.dataset import RefUpdate, Subdatasets

log = logging.getLogger(__name__)

#: Patterns of the branches whose results every branch may use.  The argument is a branch in question,
#: or empty; :class:`~tea_runner.core.errors.OutsideError` when it is not known.
TrustedBranches = Callable[[str], Sequence[str]]

#: Refs that are deleted in one push.
_DELETED_AT_ONCE = 200


def every_branch(_: str) -> Sequence[str]:
    """Every branch is trusted, as in a user's own clone."""
    return ("*",)


class GitDataset(ABC):
    """The part of the port :class:`~tea_runner.ports.dataset.Dataset` that needs no forge.

    :class:`~tea_runner.dataset.forge_dataset.ForgeDataset` and
    :class:`~tea_runner.dataset.local_clone.CloneDataset` add how refs are fetched and moved, and where
    annexed content is stored.
    """

    #: Prefix of the refs that are the dataset's branches.
    branches: str
    #: Whether it is a user's clone, which need not have all content.
    is_clone: bool
    #: Setting ``results.place``.
    results_place: ResultsPlace = "beside"
    #: Whether ``outputs.names`` is ``portable``.
    distinct_names: bool = False

    def __init__(
        self,
        name: str,
        repository: GitRepository,
        annex: Annex,
        *,
        open_index: Callable[[Sequence[str]], ResultIndex],
        job_results: JobResultRefs,
        own_keys: OwnKeys,
        trusted: TrustedBranches = every_branch,
        sign: Callable[[bytes], bytes] | None = None,
        subdatasets: Subdatasets | None = None,
        shared_results: SharedResults | None = None,
        proofs: ManifestProofs | None = None,
        secret: bytes = b"",
    ) -> None:
        """Make a dataset.

        :param open_index: opens the index for patterns of trusted branches.
        :param own_keys: also holds the results that other repositories were found to have.
        :param trusted: see :data:`TrustedBranches`.
        :param sign: signs results commits; without it they are unsigned.
        :param shared_results: results of other repositories that may be used, too.
        :param proofs: decides which manifests count; without it signatures are not required.
        :param secret: key of the seal of ticks.
        """
        self._ticks = TickRefs(name, repository, secret)
        self._proofs = proofs or ManifestProofs(None)
        self.name = name
        self.repository = repository
        self.annex = annex
        self.job_results = job_results
        self.subdatasets = subdatasets
        self.shared_results = shared_results
        self._trusted = trusted
        self._sign = sign
        self._open_index = open_index
        self._index: ResultIndex | None = None
        self._indexed: tuple[str, ...] = ()
        self._converter: ResultConverter | None = None
        self.own_keys = own_keys

    @abstractmethod
    def refresh(self) -> None:
        """Fetch what is new on the forge, if there is one.

        :raises OutsideError: when it does not answer.
        """

    @abstractmethod
    def publish(self, updates: Sequence[RefUpdate]) -> bool:
        """Move refs, all or none, each only from its expected value.

        :returns: False when a ref had another value, so that nothing was moved.
        :raises OutsideError: when the forge could not be reached or declined.
        """

    @abstractmethod
    def prepared_annex(self) -> Annex:
        """The annex with its storages enabled.

        :raises Refused: when the dataset describes a storage in another way than the operator.
        """

    @property
    def objects(self) -> ObjectReader:
        """Git objects by id."""
        return self.repository.objects

    def subdatasets_of(self, scope: str) -> Subdatasets | None:  # noqa: ARG002 - see ForgeDataset
        """The subdatasets that a branch of this scope may read."""
        return self.subdatasets

    @property
    def index(self) -> ResultIndex:
        """The results that manifests know; opened again when other branches are trusted.

        :raises OutsideError: when the forge does not say which branches are trusted.
        """
        trusted = tuple(self._trusted(""))
        if self._index is not None and trusted != self._indexed:
            self._index.close()
            self._index = None
        if self._index is None:
            self._index, self._indexed = self._open_index(trusted), trusted
        return self._index

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's tip, None when there is no such branch."""
        return self.repository.refs(self.branches + branch).get(self.branches + branch)

    def tips(self, branch: str, output: str = "") -> BranchTips | None:
        """The tips of a branch and of the branch with its results; None when there is no such branch.

        :param output: the branch that its pipelines name for their results.
        """
        pushed = self.tip(branch)
        if pushed is None:
            return None
        used = self._used_output_branch(branch, output) if output else ""
        goal = self.results_branch(branch, used)
        ref = self.branches + goal
        return branch_tips(
            branch,
            pushed,
            goal,
            pushed if goal == branch else self.repository.refs(ref).get(ref),
            is_ours=lambda commit: self._is_ours(branch, commit),
            commit=self.objects.commit,
            output=used,
        )

    def results_branch(self, branch: str, output: str = "") -> str:
        """The branch that the results commits of a branch go to.

        :param output: the branch that gets whole results; empty for none.
        :raises OutsideError: when the forge does not say whether it is trusted.
        """
        trusted = not self.scope(branch)
        return results_branch(branch, trusted=trusted, place=self.results_place, output=output)

    def _used_output_branch(self, branch: str, output: str) -> str:
        trusted = not self.scope(branch)
        return used_output_branch(output, branch, trusted=trusted, place=self.results_place)

    @abstractmethod
    def publish_output(self, tips: BranchTips) -> str | None:
        """Move the branch of whole results; see the port.

        :raises OutsideError: when the forge could not be reached or declined.
        """

    @abstractmethod
    def _is_ours(self, branch: str, commit: str) -> bool:
        """Whether a commit at the branch with the results of a branch was published by a planner."""

    @abstractmethod
    def remove_results(self, branch: str) -> None:
        """Delete the branch with the results of another; see the port.

        :raises OutsideError: when git ends with an error.
        """

    def tick_book(self, branch: str) -> TickBook:
        """The ticks of the schedules of a branch, as of the last refresh."""
        return self._ticks.read(branch)

    def record_ticks(self, branch: str, book: TickBook, discarded: Sequence[str] = ()) -> bool:
        """Put a changed book into git; see the port."""
        existing = self.repository.refs("refs/tea/") if discarded else {}
        dropped: list[RefUpdate] = [
            (ref, "", existing[ref]) for ref in discarded if ref in existing
        ]
        return self.publish([self._ticks.write(branch, book), *dropped])

    def remove_ticks(self, branch: str) -> None:
        """Delete the ticks of a branch that is gone; see the port."""
        book = self._ticks.read(branch)
        if book.at is not None:
            try:
                self.publish([(tick_ref(branch), "", book.at)])
            except OutsideError as error:
                log.warning("ticks of %s were not deleted: %s", branch, error.message)

    def annex_tip(self) -> str | None:
        """The tip of the ``git-annex`` branch."""
        return self.tip("git-annex")

    # -- known results -----------------------------------------------------------------------

    def scope(self, branch: str) -> str:
        """The scope of a branch, empty when it is trusted.

        :raises OutsideError: when the forge does not say whether it is.
        """
        return scope_of(branch, self._trusted(branch))

    def unsettled_results(self, scope: str = "") -> dict[str, tuple[str, Result]]:
        """Key to (ref, result) of the results of jobs that no results commit holds yet."""
        self.own_keys.scopes.add(scope)
        return self.job_results.by_key(scope)

    @property
    def requires_signatures(self) -> bool:
        """Whether only rows that a trusted signature covers are known results."""
        return self._proofs.required

    def sign_results(self, statement: bytes) -> bytes:
        """The signature of a statement about a manifest; empty where signatures are not required."""
        return self._proofs.keys.sign(statement) if self._proofs.keys is not None else b""

    def signer_of(self, statement: bytes, signature: bytes) -> str:
        """Name of the trusted signer of a statement; empty when the signature does not hold."""
        return self._proofs.signer_of(statement, signature)

    def signed_results(self, keys: Sequence[str], scope: str = "") -> dict[str, list[SignedResult]]:
        """Results of the keys in manifests, the preferred one first."""
        self.index.update()
        return self.index.signed_results(keys, scope)

    def known_results(
        self, keys: Sequence[str], scope: str = "", accepts: Accepts = accept_all
    ) -> dict[str, Result]:
        """The known results of the keys, here or in another repository, without incomplete ones."""
        found: dict[str, Result] = {}
        places: dict[str, list[tuple[Result, str]]] = {}
        for signed, location in self.index.find(keys, scope, accepts).values():
            root = self.objects.commit(location.commit).tree
            places.setdefault(root, []).append((signed.result, location.directory))
        for root, results in places.items():
            self.converter.read_ahead(root, results)
            for result, directory in results:
                rule = self.converter.attributes_digest(root, directory, result)
                found[result.key] = replace(result, rule=rule)
        for key in keys:
            shared = self.own_keys.shared.get(key) if key not in found else None
            if shared is not None:
                copied = copy_result(
                    shared,
                    self.writer(),
                    lambda keys: len(self.content_locations(keys)) == len(set(keys)),
                )
                if copied is not None:
                    found[key] = copied
        return found

    @property
    def converter(self) -> ResultConverter:
        """Converts known results to the attributes of another commit."""
        if self._converter is None:
            self._converter = ResultConverter(
                self.repository, self.prepared_annex, self.default_largefiles
            )
        return self._converter

    def converted_result(self, result: Result, root: str, directory: str) -> Result | None:
        """See :meth:`ResultConverter.convert`."""
        return self.converter.convert(result, root, directory)

    @property
    def trusted_repositories(self) -> Sequence[str]:
        """Names of other repositories whose results may be used."""
        return self.shared_results.names() if self.shared_results is not None else ()

    def known_in_other_repositories(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that other repositories have results for, with ``owner/name@commit``."""
        if self.shared_results is None or not keys:
            return {}
        found = self.shared_results.find(keys, self.described_storages())
        self.own_keys.shared.update(found)
        return {key: each.source for key, each in found.items()}

    def described_storages(self) -> set[str]:
        """Uuids of the special remotes that the dataset describes."""
        return set(parse_remote_log(self.remote_log()))

    def remote_log(self) -> bytes:
        """``remote.log`` of the ``git-annex`` branch, which describes special remotes."""
        return annex_branch_file(self.objects, self.annex_tip(), "remote.log")

    def storages(self) -> str:
        """Digest of the storages that the dataset describes; empty when it describes none."""
        log = self.remote_log()
        return hashlib.sha256(log).hexdigest()[:16] if log else ""

    def default_largefiles(self) -> str:
        """``annex.largefiles`` of ``git annex config``, for paths without that attribute; or empty."""
        return default_largefiles(self.objects, self.annex_tip())

    # -- content and commits -----------------------------------------------------------------

    def storage_uuid(self) -> str:
        """Uuid of the storage for new annexed content."""
        return self.prepared_annex().storage.uuid

    def content_locations(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of the annex keys whose content is in a storage, with its uuid."""
        return self.prepared_annex().storage.locations(keys)

    def writer(self) -> ObjectWriter:
        """A new collector of the objects of a commit."""
        return self.repository.writer(self._sign)

    def put_results(self, ref: str, commit: str) -> None:
        """Publish a job's results.

        When the ref exists, another worker has published the same results; it is replaced only if it
        holds no results of a worker.

        :raises OutsideError: when the forge could not be reached or declined.
        """
        if self.publish([(ref, commit, None)]):
            return
        self.refresh()
        current = self.repository.refs(ref).get(ref)
        if current is not None and not self.job_results.at(ref, current):
            log.warning(
                "replacing %s: no worker of ours wrote it", ref, extra={"repository": self.name}
            )
            self.publish([(ref, commit, current)])

    def delete_job_refs(self, refs: Sequence[str]) -> None:
        """Delete refs of jobs whose results are settled; those that cannot be deleted do no harm."""
        existing = self.repository.refs("refs/tea/")
        deletions: list[RefUpdate] = [(ref, "", existing[ref]) for ref in refs if ref in existing]
        for start in range(0, len(deletions), _DELETED_AT_ONCE):
            with contextlib.suppress(OutsideError):
                self.publish(deletions[start : start + _DELETED_AT_ONCE])

    def close(self) -> None:
        """End the processes behind it."""
        self.annex.close()
        self.repository.close()
        if self.subdatasets is not None:
            self.subdatasets.close()
        if self.shared_results is not None:
            self.shared_results.close()
        if self._converter is not None:
            self._converter.close()
            self._converter = None
        if self._index is not None:
            self._index.close()
            self._index = None
