"""A dataset on a forge, as the steps see it: its tips, its objects, its known results, its content."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from tea_runner.adapters.annex import Annex
from tea_runner.adapters.index import Index
from tea_runner.adapters.mirror import Mirror
from tea_runner.adapters.objects import ObjectReader, ObjectWriter
from tea_runner.core.errors import OutsideError
from tea_runner.core.results import Result, ResultError, parse_results
from tea_runner.core.tree import lookup

RESULTS = "results.json"


class Repository:
    """One dataset: a mirror, what is known of its results, and its annex."""

    #: Where branches stand in the mirror.
    branches = "refs/remotes/origin/"

    def __init__(self, name: str, mirror: Mirror, annex: Annex) -> None:
        self.name = name
        self.mirror = mirror
        self.annex = annex
        self._index: Index | None = None
        #: Commit of a job's ref to the results it holds.
        self._unsettled: dict[str, tuple[Result, ...]] = {}

    @property
    def objects(self) -> ObjectReader:
        """Git objects by id."""
        return self.mirror.objects

    @property
    def index(self) -> Index:
        """Results that manifests know."""
        if self._index is None:
            self.mirror.ensure()
            self._index = Index(self.mirror, self.branches)
        return self._index

    def refresh(self) -> None:
        """Learn what the forge has now.

        :raises OutsideError: when it does not answer.
        """
        self.mirror.fetch()

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

    def unsettled(self) -> dict[str, tuple[str, Result]]:
        """Key to (ref, result) of what jobs have finished and no results commit holds yet.

        Where two jobs computed one key, the ref that sorts first counts, for every reader.
        """
        found: dict[str, tuple[str, Result]] = {}
        refs = self.mirror.refs("refs/tea/jobs/")
        for oid in list(self._unsettled):
            if oid not in refs.values():
                del self._unsettled[oid]
        for ref, oid in sorted(refs.items()):
            if oid not in self._unsettled:
                self._unsettled[oid] = self._read_results(oid)
            for result in self._unsettled[oid]:
                found.setdefault(result.key, (ref, result))
        return found

    def _read_results(self, commit: str) -> tuple[Result, ...]:
        entry = self.objects.tree(self.objects.commit(commit).tree).get(RESULTS)
        data = self.objects.blob(entry.oid) if entry else None
        if data is None and entry is not None:
            # Larger than what the mirror holds: this one blob is wanted, and only it.
            data = self.mirror.git("cat-file", "blob", entry.oid, why="reading results")
        try:
            return parse_results(data or b"")
        except ResultError:
            return ()

    def known(self, keys: Sequence[str]) -> dict[str, str]:
        """Which of these keys some manifest of any branch knows, with the commit."""
        self.index.update()
        return self.index.known(keys)

    def known_result(self, key: str) -> Result | None:
        """The result that a manifest knows; None when it is not whole any more."""
        return self.index.result(key)

    def storage_uuid(self) -> str:
        """Where new annexed content goes."""
        return self.prepared_annex().target[1]

    # -- publishing --------------------------------------------------------------------------

    def writer(self) -> ObjectWriter:
        """Collects the objects of a commit."""
        return self.mirror.writer()

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move refs of the forge all or none; see :meth:`Mirror.push`."""
        done = self.mirror.push(updates)
        if done:
            self._note(updates)
        return done

    def discard(self, refs: Sequence[str]) -> None:
        """Delete refs of jobs that are settled: here at once, on the forge in pieces."""
        known = self.mirror.refs("refs/tea/jobs/")
        gone = [(ref, "", known[ref]) for ref in refs if ref in known]
        for start in range(0, len(gone), 200):
            chunk: list[tuple[str, str, str | None]] = list(gone[start : start + 200])
            with contextlib.suppress(OutsideError):
                self.publish(chunk)

    def _note(self, updates: Sequence[tuple[str, str, str | None]]) -> None:
        """What we moved ourselves is known here without another request."""
        lines = []
        for ref, new, _ in updates:
            local = ref.replace("refs/heads/", self.branches, 1)
            lines.append(f"update {local} {new}" if new else f"delete {local}")
        self.mirror.git("update-ref", "--stdin", stdin="\n".join(lines).encode() + b"\n")

    def close(self) -> None:
        """End the processes behind it."""
        self.annex.close()
        self.mirror.close()
        if self._index is not None:
            self._index.close()
            self._index = None
