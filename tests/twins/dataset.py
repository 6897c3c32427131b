"""A dataset in memory: the forge's refs, what was fetched of them, results, content, subdatasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.errors import NotFound, OutsideError, TeaError, UserError
from tea_runner.core.git.branch_kinds import belongs_to_annex
from tea_runner.core.git.results_scope import results_prefix, scope_of
from tea_runner.core.git.submodules import Submodule, repository_of
from tea_runner.core.git.tree import LINK, TREE, TreeEntry, lookup, walk_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import RECOMPUTED, Row
from tea_runner.core.results.result import Result, ResultError, ResultFile, parse_results
from tea_runner.ports import Subdatasets
from tests.twins.objects import MemoryObjects, MemoryTreeStore

#: The file of a job's commit that holds its results.
RESULTS = "results.json"
_Known = tuple[int, str, str, Row]


class MemoryDataset:
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
    ) -> None:
        self.name = name
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

    def known_commits(self, keys: Sequence[str], scope: str = "") -> Mapping[str, str]:
        """Commits that hold results, by key."""
        known = self._known(scope)
        return {key: known[key][1] for key in keys if key in known}

    def known_result(self, key: str, scope: str = "") -> Result | None:
        """The result that a manifest of this or of another repository lists."""
        known = self._known(scope).get(key)
        if known is not None:
            return self._read(known)
        for other in self._others:
            result = other.known_result(key)
            if result is not None:
                return self._copied(other, result)
        return None

    def _known(self, scope: str) -> dict[str, _Known]:
        """The commit that counts for each key: the first, or the last that was recomputed."""
        for ref, oid in self._fetched.items():
            branch = ref.removeprefix("refs/heads/")
            if branch != ref and not belongs_to_annex(branch):
                # Tips stay known after they were pushed away.
                self._tips.setdefault(self.scope(branch), set()).add(oid)
        found: dict[str, _Known] = {}
        for one in dict.fromkeys((scope, "")):
            here: dict[str, _Known] = {}
            for commit in self._history(self._tips.get(one, set())):
                for key, known in self._rows_at(commit).items():
                    if key not in here or known[:3] > here[key][:3]:
                        here[key] = known
            found.update(here)
        return found

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
                if name == manifest_text.NAME and entry.mode not in (LINK, TREE):
                    rows.update(self._rows_of(commit, facts.committed, home, entry.oid))
            self._rows[commit] = rows
        return self._rows[commit]

    def _rows_of(self, commit: str, seconds: int, home: str, oid: str) -> dict[str, _Known]:
        root = self.objects.commit(commit).tree
        try:
            head = manifest_text.parse_head(self.objects.raw(oid, "blob") or b"")
            rows = list(head.rows)
            for number, name in enumerate(manifest_text.piece_names(head.pieces)):
                path = "/".join(filter(None, (home, manifest_text.DIRECTORY, name)))
                entry = lookup(self.objects.tree, root, path) if head.pieces > 1 else None
                data = self.objects.raw(entry.oid, "blob") if entry else None
                if data is not None:
                    rows += manifest_text.parse_piece(data, number, head.pieces).rows
        except TeaError:
            return {}
        again = head.parts.get(RECOMPUTED, "").split(" ")
        known = {
            row.key: (seconds if row.key in again else -seconds, commit, home, row) for row in rows
        }
        return {key: each for key, each in known.items() if self._read(each) is not None}

    def _read(self, known: _Known) -> Result | None:
        _, commit, home, row = known
        root, outputs = self.objects.commit(commit).tree, []
        for path, full in zip(row.outputs, row.paths, strict=True):
            entry = lookup(self.objects.tree, root, f"{home}/{full}" if home else full)
            if entry is None or entry.mode == TREE:
                return None
            outputs.append(result_file(self.objects, path, entry))
        return Result(row.key, tuple(outputs))

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
            for key, commit in other.known_commits(keys).items()
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
        return True


def result_file(objects: MemoryObjects, path: str, entry: TreeEntry) -> ResultFile:
    """The output that a tree entry stands for."""
    data = objects.raw(entry.oid, "blob") or b""
    key = pointer_key(entry.mode, data)
    if key is not None:
        return ResultFile(path, "annex", key, 0)
    kind = "link" if entry.mode == LINK else "git"
    return ResultFile(path, kind, entry.oid, len(data), entry.mode == 0o100755)  # type: ignore[arg-type]


class MemorySubdatasets:
    """Subdatasets that are other repositories of the forge ``https://forge.example``."""

    def __init__(
        self, *datasets: MemoryDataset, own: str = "lab/data", moves_pins: bool = True
    ) -> None:
        self._own = own
        self._datasets = {dataset.name: dataset for dataset in datasets}
        self._moves_pins = moves_pins
        self.closed = False

    def name(self, submodule: Submodule) -> str:
        """``owner/name`` of the repository."""
        name = repository_of(submodule.url, "https://forge.example", self._own)
        if name is None or name not in self._datasets:
            raise UserError(f"subdataset {submodule.path} comes from {submodule.url}")
        return name

    def dataset(self, submodule: Submodule, commit: str) -> MemoryDataset:
        """The subdataset, if it has the commit."""
        dataset = self._datasets[self.name(submodule)]
        if not dataset.objects.has(commit):
            raise NotFound(f"subdataset {submodule.path} does not have commit {commit[:12]}")
        return dataset

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The first branch there is of the ones that are named, ``main`` and ``master``."""
        dataset = self._datasets[self.name(submodule)]
        dataset.refresh()
        names = (submodule.branch, branch, "main", "master")
        tips = (dataset.tip(name) for name in names if name)
        return next((tip for tip in tips if tip), None) if self._moves_pins else None

    def close(self) -> None:
        """Note that nothing is read any more."""
        self.closed = True
