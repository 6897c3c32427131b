"""Index of the results that the signed manifests of all branches and their history know, by key.

Only manifests that a trusted signature covers are read, unless signatures are not required.  The index
is a file in the repository.  It can be deleted at any time and is rebuilt from git with the same answers (but
for what was replaced long ago beside a branch that is not trusted):
which of several commits with a key counts does not depend on the order of reading.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.branch_kinds import RESULTS_PREFIX
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, TreeEntry, lookup
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.manifest_text import ManifestError
from tea_runner.core.results.result import ResultFile
from tea_runner.core.results.run_conditions import TRUSTED, RunConditions, parse_conditions
from tea_runner.core.results.signed_manifest_row import Accepts, SignedResult, accept_all
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.manifest_history import ManifestFile, ManifestReader, manifest_files
from tea_runner.dataset.result_index_tables import (
    RankedResult,
    ResultLocation,
    ResultTable,
    StoredResult,
)
from tea_runner.dataset.results_branches_on_forge import kept_tips
from tea_runner.dataset.verify_manifest_signatures import ManifestProofs, Proof

#: Refs of a mirror for former tips of branches that were rewritten: their results stay known.
KEPT = "refs/kept/"
_REMOTES = "refs/remotes/"
#: Former tips that are kept of a branch that is not trusted.
_MOST_KEPT = 50
#: Scope of rows of untrusted branches that were merged into a trusted one.
MERGED = "merged"
#: Errors of commits that cannot be read: anybody can push one, which must not stop other branches.
_UNREADABLE = (ManifestError, OutsideError, Refused)
_MODES = {"git": PLAIN, "exec": EXECUTABLE, "link": LINK}


class ResultIndex:
    """Known results of one repository, by scope and key.

    Rows that were computed for trusted branches belong to the trusted scope, wherever they are found; all
    others to the scope of the branch that has them.  Without signatures, a row belongs to the scope of
    the branch that has it.
    """

    def __init__(
        self,
        repository: GitRepository,
        branches: str = "refs/remotes/origin/",
        *,
        trusted: Sequence[str] = ("*",),
        update_refs: Callable[[Sequence[str]], None] | None = None,
        proofs: ManifestProofs | None = None,
        fetched_results: bool = False,
    ) -> None:
        """Open or make the index of a repository.

        :param branches: prefix of the refs that are branches.
        :param trusted: patterns of trusted branches.
        :param update_refs: runs git-update-ref(1) with these lines, to keep former tips of branches
            below :data:`KEPT`; without it, as in a user's clone, they are forgotten.
        :param proofs: decides which manifests count; without it signatures are not required.
        :param fetched_results: whether branches with results of others that a user's clone has fetched are
            read, too, where signatures are required.
        """
        self._fetched_results = fetched_results
        self._fetched_tips: list[tuple[str, str]] | None = None
        self._proofs = proofs or ManifestProofs(None)
        self._repository = repository
        self._branches = branches
        self._trusted = tuple(trusted)
        self._update_refs = update_refs
        names = (ref[len(branches) :] for ref in repository.refs(branches))
        self._table = ResultTable(
            repository.git_dir / "tea-index.db", trusted, names, self._proofs.settings
        )
        self.path = self._table.path
        if self._table.lost_trust and update_refs is not None:
            # It is not known from which branch a former tip is.
            former = sorted(repository.refs(_kept_prefix("")))
            update_refs([f"delete {ref}" for ref in former])

    # -- learning ----------------------------------------------------------------------------

    def update(self) -> int:
        """Read the manifests of new commits of all branches; returns their number."""
        tips = self._tips()
        return sum(
            self._update_scope(scope, tips.get(scope, set())) for scope in sorted({"", *tips})
        )

    def rebuild(self) -> int:
        """Delete the index and read all manifests again; returns their number."""
        self._table.recreate()
        return self.update()

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
        others = (
            self._fetched() if self._fetched_results else kept_tips(self._repository.refs).items()
        )
        for scope, oid in others:
            tips.setdefault(scope, set()).add(oid)
        return tips

    def _fetched(self) -> list[tuple[str, str]]:
        """Scopes and tips of branches with results of others that were fetched; read once."""
        if self._fetched_tips is None:
            refs = self._repository.refs(_REMOTES) if self._proofs.required else {}
            names = {ref.removeprefix(_REMOTES).partition("/")[2]: oid for ref, oid in refs.items()}
            self._fetched_tips = [
                (scope_of(name, self._trusted), oid)
                for name, oid in names.items()
                if name.startswith(RESULTS_PREFIX)
            ]
        return self._fetched_tips

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
                kept = self._delete_oldest(scope, kept)
        known = read if not scope else read | self._table.tips("")
        new = (tips | kept) - known
        files = manifest_files(self._repository, new, self._existing(known)) if new else []
        reader = ManifestReader(self._repository)
        with self._table.transaction():
            if not self._table.is_current():
                # Another process knows of other trusted branches; this one will at its next look.
                return 0
            count = sum(self._learn(scope, file, reader) for file in _unchanged(files, reader))
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

    def _delete_oldest(self, scope: str, kept: set[str]) -> set[str]:
        """Delete what is kept beyond :data:`_MOST_KEPT` of a branch; returns what stays.

        Each push to an untrusted branch replaces its results.  What is deleted stays in the index.
        """
        if not scope or len(kept) <= _MOST_KEPT or self._update_refs is None:
            return kept
        seconds = {}
        for tip in kept:
            with contextlib.suppress(*_UNREADABLE):
                seconds[tip] = self._repository.objects.commit(tip).committed
        stay = set(sorted(kept, key=lambda tip: (seconds.get(tip, 0), tip))[-_MOST_KEPT:])
        prefix = _kept_prefix(scope)
        self._update_refs([f"delete {prefix}{tip}" for tip in sorted(kept - stay)])
        return stay

    def _existing(self, oids: set[str]) -> set[str]:
        objects = self._repository.objects.read_many(oids)
        return {oid for oid, value in objects.items() if value is not None}

    def _learn(self, scope: str, file: ManifestFile, reader: ManifestReader) -> int:
        """Add the results in a file of a manifest; returns 1 for the manifest's first file, else 0."""
        try:
            root = self._repository.objects.commit(file.commit).tree
            proof = self._proofs.find(self._repository, root, file.home)
            if proof is None and self._proofs.required:
                return 0
            head, rows = reader.read(file)
        except _UNREADABLE:
            return 0
        first, again = self._ranks(file, head.recomputed, proof)
        signer = proof[1] if proof is not None else ""
        by_scope: dict[str, list[Row]] = {}
        for row in rows:
            by_scope.setdefault(self._scope_of(row, scope), []).append(row)
        for each, group in by_scope.items():
            known = self._table.ranks(each, [row.key for row in group])
            results = []
            for row in group:
                rank = again.get(row.key, first)
                if row.key not in known or rank >= known[row.key]:
                    result = self._stored(file, row, rank, signer)
                    if result is not None:
                        results.append(result)
            self._table.insert(each, results)
        return int(file.is_head)

    def _scope_of(self, row: Row, scope: str) -> str:
        """The scope of a row that was found on a branch of *scope*."""
        if not self._proofs.required:
            return scope
        return "" if row.ran == "trusted" else scope or MERGED

    def _ranks(
        self, file: ManifestFile, recomputed: Sequence[str], proof: Proof | None
    ) -> tuple[int, dict[str, int]]:
        """The rank of a manifest's rows, and those of recomputed keys.

        The time is that of the commit whose inputs the rows describe, which is part of what is signed:
        a copy of an old manifest in a new commit replaces nothing.
        """
        seconds: int | None = None
        if proof is not None:
            recomputed = proof[0].recomputed
            try:
                seconds = self._repository.objects.commit(proof[0].inputs_at).committed
            except _UNREADABLE:
                recomputed = ()
        if seconds is None:
            seconds = file.seconds
        return -seconds, dict.fromkeys(recomputed, seconds)

    def _stored(self, file: ManifestFile, row: Row, rank: int, signer: str) -> RankedResult | None:
        """The result of a row, as it is stored; None where it does not count or is incomplete."""
        if self._proofs.required and not row.ran:
            return None
        location = ResultLocation(file.commit, file.home, row.place, row.outputs)
        if not self._is_complete(location, row.contents):
            return None
        return RankedResult(
            row.key, rank, location, row.contents, row.sizes, row.state, row.ran, signer
        )

    def _is_complete(self, location: ResultLocation, contents: Sequence[str]) -> bool:
        """Whether the commit has the files that a row of its manifest names, with that content."""
        try:
            root = self._repository.objects.commit(location.commit).tree
            if not contents:
                return all(self._file_entry(root, path) is not None for path in location.paths)
            return all(
                self._has_content(root, path, content)
                for path, content in zip(location.paths, contents, strict=True)
            )
        except _UNREADABLE:
            return False

    def _has_content(self, root: str, path: str, content: str) -> bool:
        """Whether a file in git is as a row states; annexed content is looked for when it is used."""
        kind, colon, oid = content.partition(":")
        if not colon or kind not in _MODES:
            return True
        return self._file_entry(root, path) == TreeEntry(_MODES[kind], oid)

    def _file_entry(self, root: str, path: str) -> TreeEntry | None:
        entry = lookup(self._repository.objects.tree, root, path)
        return entry if entry is not None and entry.mode in (LINK, PLAIN, EXECUTABLE) else None

    # -- queries -----------------------------------------------------------------------------

    def signed_results(self, keys: Sequence[str], scope: str = "") -> dict[str, list[SignedResult]]:
        """Results of the keys: trusted ones first, then those of a scope, then those of others."""
        found = {}
        for key, stored in self._table.results(keys).items():
            results = [self._signed(each, scope) for each in self._ordered(stored, scope)]
            if results:
                found[key] = results
        return found

    def known(self, keys: Sequence[str], scope: str = "") -> dict[str, str]:
        """Those of the keys that a scope has itself or that are trusted, with the commit."""
        signed = self.signed_results(keys, scope)
        return {key: found[0].commit for key, found in signed.items() if found[0].own}

    def counts(self) -> dict[str, Counter[str]]:
        """See :meth:`ResultTable.counts`."""
        return self._table.counts()

    def find(
        self, keys: Sequence[str], scope: str = "", accepts: Accepts = accept_all
    ) -> dict[str, tuple[SignedResult, ResultLocation]]:
        """Keys to the first result that counts, and where it is."""
        found = {}
        for key, stored in self._table.results(keys).items():
            for each in self._ordered(stored, scope):
                signed = self._complete(self._signed(each, scope), each.result.location)
                if signed is not None and accepts(signed):
                    found[key] = signed, each.result.location
                    break
        return found

    def _ordered(self, stored: Iterable[StoredResult], scope: str) -> list[StoredResult]:
        if not self._proofs.required:
            return [each for each in stored if each.scope in ("", scope)]
        order = {"": 0, scope: 1}
        return sorted(stored, key=lambda each: (order.get(each.scope, 2), -each.result.rank))

    def _signed(self, stored: StoredResult, scope: str) -> SignedResult:
        result = stored.result
        ran = parse_conditions(result.ran) if result.ran else None
        return SignedResult(
            result.key,
            result.location.outputs,
            result.contents,
            result.sizes,
            result.state,
            ran or (RunConditions(scope="branch") if stored.scope else TRUSTED),
            result.location.commit,
            stored.scope in ("", scope),
            result.signer,
        )

    def _complete(self, signed: SignedResult, location: ResultLocation) -> SignedResult | None:
        """A result of an old manifest, with the contents of its outputs read from their commit."""
        if len(signed.contents) == len(signed.outputs):
            return signed
        outputs = []
        try:
            root = self._repository.objects.commit(location.commit).tree
            for full, path in zip(location.paths, location.outputs, strict=True):
                output = self._output(root, full, path)
                if output is None:
                    return None
                outputs.append(output)
        except _UNREADABLE:
            return None
        return signed._replace(
            contents=tuple(output.content for output in outputs),
            sizes=tuple(output.size for output in outputs),
        )

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


def _unchanged(files: Sequence[ManifestFile], reader: ManifestReader) -> Iterator[ManifestFile]:
    """The files of manifests, with those of manifests that a commit has signed without changing them."""
    changed = {(file.commit, file.home) for file in files if not file.is_signature}
    for file in files:
        if not file.is_signature:
            yield file
        elif (file.commit, file.home) not in changed:
            with contextlib.suppress(*_UNREADABLE):
                yield from reader.signed_later(file)
