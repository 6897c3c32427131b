"""A dataset in memory: the forge's refs, what was fetched of them, results, content, subdatasets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.errors import OutsideError, TeaError
from tea_runner.core.git.branch_kinds import belongs_to_annex
from tea_runner.core.git.branch_results_scope import results_prefix, scope_of
from tea_runner.core.git.git_annex_config import LARGEFILES, parse_annex_config
from tea_runner.core.git.tree import FILES, LINK, TREE, TreeEntry, lookup, walk_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.manifest_statement import Statement, read_signature, signature_file
from tea_runner.core.results.result import Result, ResultError, ResultFile, parse_results
from tea_runner.core.results.results_branch import ResultsPlace
from tea_runner.core.results.run_conditions import TRUSTED, RunConditions, parse_conditions
from tea_runner.core.results.signed_manifest_row import Accepts, SignedResult, accept_all
from tea_runner.ports import Subdatasets
from tests.twins.objects import MemoryObjects, MemoryTreeStore
from tests.twins.results_branches import MemoryResultsBranches
from tests.twins.tick_books import MemoryTickBooks

#: The file of a job's commit that holds its results.
RESULTS = "results.json"
_Known = tuple[int, str, str, Row]
#: Scope of rows of untrusted branches that were merged into a trusted one.
_MERGED = "merged"


class MemoryDataset(MemoryResultsBranches, MemoryTickBooks):
    """Dataset on a forge that is a dictionary of refs.

    *forge* is what the forge has; :meth:`tip` and the results show what :meth:`refresh` last fetched.
    """

    def __init__(
        self,
        name: str = "lab/data",
        *,
        trusted: Sequence[str] = ("*",),
        is_clone: bool = False,
        others: Sequence[MemoryDataset] = (),
        sign: Callable[[bytes], bytes] | None = None,
        requires_signatures: bool = True,
        results_place: ResultsPlace = "beside",
    ) -> None:
        self.name = name
        self.results_place = results_place
        self.distinct_names = False
        super().__init__()
        self.requires_signatures = requires_signatures
        #: Name of this installation, as signer, and the signers whose signatures count.
        self.signer = "lab"
        self.trusted_signers = {"lab"}
        self.is_clone = is_clone
        self.objects = MemoryObjects()
        self.subdatasets: Subdatasets | None = None
        self.forge: dict[str, str] = {}
        #: Whether the forge answers.
        self.reachable = True
        #: Called before each push of a branch, to move it between a plan and its push.
        self.before_publish: list[Callable[[], object]] = []
        #: Annex key to the uuid of the storage that has its content.
        self.content: dict[str, str] = {}
        self.storage = "00000000-0000-0000-0000-000000000001"
        #: Keys whose results cannot be saved as the attributes of the tree ask.
        self.inconvertible: set[str] = set()
        #: Each successful push, in order.
        self.published: list[Sequence[tuple[str, str, str | None]]] = []
        self._trusted = trusted
        self._others = others
        self._sign = sign
        self._fetched: dict[str, str] = {}
        self._tips: dict[str, set[str]] = {}
        self._rows: dict[str, dict[str, _Known]] = {}

    def refresh(self) -> None:
        """Fetch all refs."""
        self._ask()
        self._fetched = dict(self.forge)

    def _ask(self) -> None:
        if not self.reachable:
            raise OutsideError("the forge does not answer")

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's end, as last fetched."""
        return self._fetched.get(f"refs/heads/{branch}")

    def annex_tip(self) -> str | None:
        """The tip of the ``git-annex`` branch."""
        return self.tip("git-annex")

    def default_largefiles(self) -> str:
        """``annex.largefiles`` of ``config.log``; ``nothing`` without a ``git-annex`` branch."""
        tip = self.annex_tip()
        if tip is None:
            return "nothing"
        entry = lookup(self.objects.tree, self.objects.commit(tip).tree, "config.log")
        log = (self.objects.blob(entry.oid) or b"") if entry else b""
        return parse_annex_config(log).get(LARGEFILES, "")

    def storages(self) -> str:
        """A dataset in memory describes none."""
        return ""

    def scope(self, branch: str) -> str:
        """The scope of a branch."""
        return scope_of(branch, self._trusted)

    # -- results -----------------------------------------------------------------------------

    def subdatasets_of(self, scope: str) -> Subdatasets | None:
        """The same for all."""
        return self.subdatasets

    def unsettled_results(self, scope: str = "") -> Mapping[str, tuple[str, Result]]:
        """Results at refs of jobs: the scope's own first, a recomputed one before others."""
        found: dict[str, tuple[str, Result]] = {}
        for prefix in dict.fromkeys((results_prefix(scope), results_prefix(""))):
            here: dict[str, tuple[str, Result]] = {}
            for ref, oid in sorted(self._fetched.items()):
                for result in self._results_at(oid) if ref.startswith(prefix) else ():
                    if result.key not in here or result.salt > here[result.key][1].salt:
                        here[result.key] = (ref, result)
            found = {**here, **found}
        return found

    def _results_at(self, oid: str) -> tuple[Result, ...]:
        try:
            entry = self.objects.tree(self.objects.commit(oid).tree).get(RESULTS)
            return parse_results((self.objects.raw(entry.oid, "blob") if entry else None) or b"")
        except (OutsideError, ResultError):
            return ()

    def sign_results(self, statement: bytes) -> bytes:
        """A signature that names the signer and the statement's hash."""
        if not self.requires_signatures:
            return b""
        digest = hashlib.sha256(statement).hexdigest()
        return f"-----BEGIN SSH SIGNATURE-----\n{self.signer} {digest}\n".encode()

    def signer_of(self, statement: bytes, signature: bytes) -> str:
        """The signer, if the signature is that of the statement."""
        digest = hashlib.sha256(statement).hexdigest()
        text = signature.decode().removeprefix("-----BEGIN SSH SIGNATURE-----\n").strip()
        signer, _, signed = text.partition(" ")
        return signer if signed == digest and signer in self.trusted_signers else ""

    def signed_results(
        self, keys: Sequence[str], scope: str = ""
    ) -> Mapping[str, Sequence[SignedResult]]:
        """Results in manifests: trusted ones, the scope's own, then those of other branches."""
        known = self._known()
        order = dict.fromkeys(("", scope))
        if self.requires_signatures:
            order.update(dict.fromkeys(sorted(known)))
        found: dict[str, list[SignedResult]] = {}
        for one in order:
            for key in keys:
                if key in known.get(one, {}):
                    signed = self._signed(known[one][key], own=one in ("", scope), scope=one)
                    if signed is not None:
                        found.setdefault(key, []).append(signed)
        return found

    def known_results(
        self, keys: Sequence[str], scope: str = "", accepts: Accepts = accept_all
    ) -> dict[str, Result]:
        """The results that manifests of this or of another repository list."""
        found = ((key, self._known_result(key, scope, accepts)) for key in keys)
        return {key: result for key, result in found if result is not None}

    def _known_result(self, key: str, scope: str, accepts: Accepts) -> Result | None:
        signed = next(filter(accepts, self.signed_results([key], scope).get(key, ())), None)
        if signed is not None:
            return signed.result
        found = ((each, each._known_result(key, "", _is_trusted)) for each in self._others)
        return next((self._copied(other, result) for other, result in found if result), None)

    def _known(self) -> dict[str, dict[str, _Known]]:
        """By scope the commit that counts for each key: the first, or the last that was recomputed."""
        for ref, oid in self._fetched.items():
            branch = ref.removeprefix("refs/heads/")
            if branch != ref and not belongs_to_annex(branch):
                # Tips stay known after they were pushed away.
                self._tips.setdefault(self.scope(branch), set()).add(oid)
        found: dict[str, dict[str, _Known]] = {}
        trusted = set(self._history(self._tips.get("", set())))
        for one in sorted({"", *self._tips}):
            history = set(self._history(self._tips.get(one, set())))
            for commit in history if not one else history - trusted:
                for key, known in self._rows_at(commit).items():
                    here = found.setdefault(self._scope_of(known[3], one), {})
                    if key not in here or self._rank(known) > self._rank(here[key]):
                        here[key] = known
        return found

    def _rank(self, known: _Known) -> tuple[int, int, str]:
        """Among commits that hold one row, the first of them counts."""
        return known[0], -self.objects.commit(known[1]).committed, known[1]

    def _scope_of(self, row: Row, scope: str) -> str:
        if not self.requires_signatures:
            return scope
        return "" if row.ran == "trusted" else scope or _MERGED

    def _history(self, tips: set[str]) -> Iterator[str]:
        todo, seen = list(tips), set[str]()
        while todo:
            oid = todo.pop()
            if oid not in seen and self.objects.has(oid):
                seen.add(oid)
                yield oid
                todo += self.objects.commit(oid).parents

    def _rows_at(self, commit: str) -> dict[str, _Known]:
        """The rows of all manifests that a commit changed and whose outputs it holds."""
        if commit not in self._rows:
            facts = self.objects.commit(commit)
            rows: dict[str, _Known] = {}
            for path, entry in walk_tree(self.objects.tree, facts.tree):
                home, _, name = path.rpartition("/")
                if name == manifest_text.NAME and entry.mode in FILES:
                    rows.update(self._rows_of(commit, facts.committed, home, entry.oid))
            self._rows[commit] = rows
        return self._rows[commit]

    def _rows_of(self, commit: str, seconds: int, home: str, oid: str) -> dict[str, _Known]:
        root = self.objects.commit(commit).tree
        statement = self._statement(root, home)
        if statement is None and self.requires_signatures:
            return {}
        try:
            head = manifest_text.parse_head(self.objects.raw(oid, "blob") or b"")
            rows = list(head.rows)
            for number, name in enumerate(manifest_text.piece_names(head.pieces)):
                path = "/".join(filter(None, (home, manifest_text.DIRECTORY, name)))
                entry = lookup(self.objects.tree, root, path) if head.pieces > 1 else None
                is_file = entry is not None and entry.mode in FILES
                data = self.objects.raw(entry.oid, "blob") if entry and is_file else None
                if data is not None:
                    rows += manifest_text.parse_piece(data, number, head.pieces).rows
        except TeaError:
            return {}
        again: Sequence[str] = head.recomputed
        if statement is not None:
            here = self.objects.has(statement.inputs_at)
            again = statement.recomputed if here else ()
            seconds = self.objects.commit(statement.inputs_at).committed if here else seconds
        known = {
            row.key: (seconds if row.key in again else -seconds, commit, home, row) for row in rows
        }
        return {
            key: each
            for key, each in known.items()
            if (each[3].ran or not self.requires_signatures)
            and self._signed(each, own=True, scope="") is not None
        }

    def _statement(self, root: str, home: str) -> Statement | None:
        file = signature_file(lambda path: lookup(self.objects.tree, root, path), home)
        data = self.objects.raw(file.signature, "blob") if file is not None else None
        found = read_signature(file, data or b"") if file is not None else None
        if found is None or not self.requires_signatures:
            return found and found.statement
        here = self.is_clone or found.statement.repository in ("", self.name)
        return found.statement if here and self.signer_of(found.text, found.signature) else None

    def _signed(self, known: _Known, *, own: bool, scope: str) -> SignedResult | None:
        """The result of a row; None where the tree does not hold what it states."""
        _, commit, home, row = known
        root, outputs = self.objects.commit(commit).tree, []
        for path, full in zip(row.outputs, row.paths, strict=True):
            entry = lookup(self.objects.tree, root, f"{home}/{full}" if home else full)
            if entry is None or entry.mode == TREE:
                return None
            outputs.append(result_file(self.objects, path, entry))
        contents = tuple(output.content for output in outputs)
        if row.contents and row.contents != contents:
            return None
        ran = parse_conditions(row.ran) or (RunConditions("branch") if scope else TRUSTED)
        sizes = row.sizes or tuple(output.size for output in outputs)
        return SignedResult(
            row.key, row.outputs, contents, sizes, row.state, ran, commit, own, self.signer
        )

    def _copied(self, other: MemoryDataset, result: Result) -> Result | None:
        for output in result.outputs:
            if output.kind == "annex":
                if output.name not in self.content:
                    return None
            else:
                self.objects.add("blob", other.objects.raw(output.name, "blob") or b"")
        return result

    @property
    def trusted_repositories(self) -> Sequence[str]:
        """Names of the other repositories."""
        return [other.name for other in self._others]

    def known_in_other_repositories(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Keys that other repositories have results for."""
        return {
            key: f"{other.name}@{commit}"
            for other in reversed(self._others)
            for key, signed in other.signed_results(keys).items()
            for commit in [each.commit for each in signed if _is_trusted(each)][:1]
        }

    def converted_result(self, result: Result, root: str, directory: str) -> Result | None:
        """The result as it is, unless the test says that it cannot be converted."""
        return None if result.key in self.inconvertible else result

    # -- content -----------------------------------------------------------------------------

    def content_locations(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Annex keys that have content."""
        return {key: self.content[key] for key in keys if key in self.content}

    def storage_uuid(self) -> str:
        """The storage's uuid."""
        if not self.storage:
            raise OutsideError("there is no storage")
        return self.storage

    # -- publishing --------------------------------------------------------------------------

    def writer(self) -> MemoryTreeStore:
        """A writer of new objects."""
        return MemoryTreeStore(self.objects, self._sign)

    def delete_job_refs(self, refs: Sequence[str]) -> None:
        """Delete refs as far as the forge lets us."""
        known = [(ref, "", self._fetched[ref]) for ref in refs if ref in self._fetched]
        if known and self.reachable:
            self.publish(known)

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Compare and swap several refs."""
        branches = any(ref.startswith("refs/heads/") for ref, _, _ in updates)
        if branches and self.before_publish:
            self.before_publish.pop(0)()
        self._ask()
        if any((self.forge.get(ref) or None) != (old or None) for ref, _, old in updates):
            return False
        for refs in (self.forge, self._fetched):
            for ref, new, _ in updates:
                if new:
                    refs[ref] = new
                else:
                    refs.pop(ref, None)
        self.published.append(updates)
        self._beside |= {new for _, new, _ in updates}
        return True


def _is_trusted(signed: SignedResult) -> bool:
    return signed.ran == TRUSTED


def result_file(objects: MemoryObjects, path: str, entry: TreeEntry) -> ResultFile:
    """The output that a tree entry stands for."""
    data = objects.raw(entry.oid, "blob") or b""
    key = pointer_key(entry.mode, data)
    if key is not None:
        return ResultFile(path, "annex", key, key_size(key) or 0)
    kind = "link" if entry.mode == LINK else "git"
    return ResultFile(path, kind, entry.oid, len(data), entry.mode == 0o100755)  # type: ignore[arg-type]
