"""Index of the results that the manifests of all branches and their history know, by key.

The index is a file in the repository.  It can be deleted at any time and is rebuilt from git with the same
answers: which of several commits with a key counts does not depend on the order of reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.errors import OutsideError
from tea_runner.core.git.results_scope import scope_of
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, TreeEntry, lookup
from tea_runner.core.results.manifest import RECOMPUTED
from tea_runner.core.results.manifest_text import ManifestError
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.manifest_history import ManifestFile, ManifestReader, manifest_files
from tea_runner.dataset.result_index_tables import RankedResult, ResultLocation, ResultTable

#: Refs of a mirror for former tips of branches that were rewritten: their results stay known.
KEPT = "refs/kept/"


class ResultIndex:
    """Known results of one repository, by scope and key.

    The trusted scope learns results from the branches that the operator trusts only; each other scope
    from its own branch.
    """

    def __init__(
        self,
        repository: GitRepository,
        branches: str = "refs/remotes/origin/",
        *,
        trusted: Sequence[str] = ("*",),
        update_refs: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """Open or make the index of a repository.

        :param branches: prefix of the refs that are branches.
        :param trusted: patterns of trusted branches.
        :param update_refs: runs git-update-ref(1) with these lines, to keep former tips of branches
            below :data:`KEPT`; without it, as in a user's clone, they are forgotten.
        """
        self._repository = repository
        self._branches = branches
        self._trusted = tuple(trusted)
        self._update_refs = update_refs
        names = (ref[len(branches) :] for ref in repository.refs(branches))
        self._table = ResultTable(repository.git_dir / "tea-index.db", trusted, names)
        self.path = self._table.path
        if self._table.lost_trust and update_refs is not None:
            # It is not known from which branch a former tip is.
            former = sorted(repository.refs(_kept_prefix("")))
            update_refs([f"delete {ref}" for ref in former])

    # -- learning ----------------------------------------------------------------------------

    def update(self, scope: str = "") -> int:
        """Read the manifests of new commits, for a scope and the trusted one; returns their number."""
        tips = self._tips()
        return sum(
            self._update_scope(one, tips.get(one, set())) for one in dict.fromkeys(("", scope))
        )

    def learn(self) -> int:
        """As :meth:`update`, for the scopes of all branches."""
        tips = self._tips()
        return sum(self._update_scope(scope, tips.get(scope, set())) for scope in self.scopes)

    def rebuild(self) -> int:
        """Delete the index and read all manifests again; returns their number."""
        self._table.recreate()
        return self.learn()

    @property
    def scopes(self) -> list[str]:
        """The scopes of all branches; the trusted one is first."""
        return sorted({"", *self._tips()})

    def _tips(self) -> dict[str, set[str]]:
        """Tips of branches by scope; branches of git-annex have no manifests."""
        tips: dict[str, set[str]] = {}
        for ref, oid in self._repository.refs(self._branches).items():
            if not ref.endswith("/git-annex") and "/synced/" not in ref:
                scope = scope_of(ref[len(self._branches) :], self._trusted)
                tips.setdefault(scope, set()).add(oid)
        return tips

    def _update_scope(self, scope: str, tips: set[str]) -> int:
        read = self._table.tips(scope)
        if tips <= read and len(read) == len(tips):
            return 0
        kept = set()
        if self._update_refs is not None:
            kept = set(self._repository.refs(_kept_prefix(scope)).values())
            former = read - tips - kept
            if former:
                kept |= self._keep_unreachable(scope, former, tips | kept)
        known = read if not scope else read | self._table.tips("")
        new = (tips | kept) - known
        files = manifest_files(self._repository, new, self._existing(known)) if new else []
        reader = ManifestReader(self._repository)
        with self._table.transaction():
            if not self._table.is_current():
                # Another process knows of other trusted branches; this one will at its next look.
                return 0
            count = sum(self._learn(scope, file, reader) for file in files)
            self._table.set_tips(scope, tips | kept)
        return count

    def _keep_unreachable(self, scope: str, former: set[str], tips: set[str]) -> set[str]:
        """Keep those former tips that are not reachable from *tips* any more; returns them."""
        exclude = "".join(f"^{tip}\n" for tip in tips)
        unreachable = {
            tip
            for tip in self._existing(former)
            if self._repository.git(
                "rev-list", "-n1", "--stdin", stdin=f"{tip}\n{exclude}".encode()
            )
        }
        if unreachable and self._update_refs is not None:
            prefix = _kept_prefix(scope)
            self._update_refs([f"update {prefix}{tip} {tip}" for tip in sorted(unreachable)])
        return unreachable

    def _existing(self, oids: set[str]) -> set[str]:
        objects = self._repository.objects.read_many(oids)
        return {oid for oid, value in objects.items() if value is not None}

    def _learn(self, scope: str, file: ManifestFile, reader: ManifestReader) -> int:
        """Add the results in a file of a manifest; returns 1 for the manifest's first file, else 0."""
        try:
            head, rows = reader.read(file)
        except (ManifestError, OutsideError):
            return 0
        home, recomputed = file.home, set(head.parts.get(RECOMPUTED, "").split(" "))
        ranks = self._table.ranks(scope, [row.key for row in rows])
        results = []
        for row in rows:
            rank = file.seconds if row.key in recomputed else -file.seconds
            if row.key not in ranks or rank >= ranks[row.key]:
                location = ResultLocation(file.commit, home, row.place, row.outputs)
                if self._is_complete(location):
                    results.append(RankedResult(row.key, rank, location))
        self._table.insert(scope, results)
        return int(file.is_head)

    def _is_complete(self, location: ResultLocation) -> bool:
        """Whether the commit has all files that its manifest names."""
        try:
            root = self._repository.objects.commit(location.commit).tree
            return all(self._file_entry(root, path) is not None for path in location.paths)
        except OutsideError:
            return False

    def _file_entry(self, root: str, path: str) -> TreeEntry | None:
        entry = lookup(self._repository.objects.tree, root, path)
        return entry if entry is not None and entry.mode in (LINK, PLAIN, EXECUTABLE) else None

    # -- queries -----------------------------------------------------------------------------

    def known(self, keys: Sequence[str], scope: str = "") -> dict[str, str]:
        """Those of the keys that a scope may use, with the commit; trusted results come first."""
        return self._table.commits(keys, scope)

    def counts(self) -> dict[str, Counter[str]]:
        """See :meth:`ResultTable.counts`."""
        return self._table.counts()

    def location(self, key: str, scope: str = "") -> ResultLocation | None:
        """Where the result of a key is."""
        return self._table.location(key, scope)

    def result(self, key: str, scope: str = "") -> Result | None:
        """The result of a key, read from its commit; None when it is incomplete."""
        location = self.location(key, scope)
        if location is None:
            return None
        outputs = []
        try:
            root = self._repository.objects.commit(location.commit).tree
            for full, path in zip(location.paths, location.outputs, strict=True):
                output = self._output(root, full, path)
                if output is None:
                    return None
                outputs.append(output)
        except OutsideError:
            return None
        return Result(key=key, outputs=tuple(outputs))

    def _output(self, root: str, full: str, path: str) -> ResultFile | None:
        entry = self._file_entry(root, full)
        if entry is None:
            return None
        data = self._repository.objects.blob(entry.oid)
        key = pointer_key(entry.mode, data) if data is not None else None
        if key is not None:
            return ResultFile(path, "annex", key, key_size(key) or 0)
        if entry.mode == LINK:
            return ResultFile(path, "link", entry.oid, len(data or b""))
        return ResultFile(path, "git", entry.oid, len(data or b""), entry.mode == EXECUTABLE)

    def close(self) -> None:
        """Close the file."""
        self._table.close()


def _kept_prefix(scope: str) -> str:
    return f"{KEPT}{scope or 'trusted'}/"
