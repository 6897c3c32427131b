"""One commit in; its pipelines, their manifests and its files' facts out, from git objects alone.

No checkout, no content, no git-annex: trees, and blobs small enough to be annex pointers or pipeline
files.  What was learned of a tree or a blob is remembered by its id, so that an unchanged part of a
dataset is never read twice.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from tea_runner.core.datums import content_identity
from tea_runner.core.datums.view import FileFact
from tea_runner.core.errors import OutsideError, SpecError, UserError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.git.annex_backend import annex_backend
from tea_runner.core.git.submodules import Submodule, parse_gitmodules
from tea_runner.core.git.tree import (
    EXECUTABLE,
    LINK,
    PLAIN,
    SUBMODULE,
    TREE,
    TreeEntry,
    lookup,
    walk_tree,
)
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.planning.dependency_order import order
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.core.spec.parse import Problem, parse_specs
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.ports import Objects, Subdataset, Subdatasets

#: Facts of files that are remembered; a thousand take half a megabyte.
_FACTS = 2_000
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Results commits of one push, one for each pipeline.
_MOST_RESULTS = 1000
SPEC_NAMES = ("spec.yml", "spec.yaml", "spec.json")


class CommitView:
    """A commit's tree, read as far as it is asked."""

    def __init__(
        self,
        objects: Objects,
        commit: str,
        memory: PlanningCache,
        *,
        links: Subdatasets | None = None,
        pins: Mapping[str, str] | None = None,
        path: str = "",
        linked: Subdataset | None = None,
    ) -> None:
        self.objects = objects
        self.commit = commit
        self.cache = memory
        self.subdatasets = links
        #: Subdatasets that are to be read at another commit than the tree says.
        self.pins = dict(pins or {})
        #: Where this dataset stands in the one that is planned; empty for that one itself.
        self.path = path
        #: The subdataset itself, to fetch from; None for the dataset that is planned.
        self.linked = linked
        self.root = objects.commit(commit).tree
        self._below: dict[str, CommitView] = {}

    def entry(self, path: str) -> TreeEntry | None:
        """What stands at a path of the dataset."""
        found = lookup(self.objects.tree, self.root, path)
        if found is not None and found.mode == SUBMODULE and path in self.pins:
            return TreeEntry(SUBMODULE, self.pins[path])
        return found

    def reader(self) -> Callable[[str], TreeEntry | None]:
        """As :meth:`entry`, quick for paths that come directory by directory."""
        last: str | None = None
        entries: Mapping[str, TreeEntry] = {}

        def entry(path: str) -> TreeEntry | None:
            nonlocal last, entries
            directory, _, name = path.rpartition("/")
            if directory != last:
                found = self.entry(directory)
                inside = found is not None and found.mode == TREE
                entries = self.objects.tree(found.oid) if found and inside else {}
                last = directory
            return entries.get(name)

        return entry

    # -- subdatasets -------------------------------------------------------------------------

    @cached_property
    def submodules(self) -> dict[str, Submodule]:
        """The subdatasets that ``.gitmodules`` tells of, by path."""
        return parse_gitmodules(self.blob_at(".gitmodules") or b"")

    def subdataset(self, path: str) -> CommitView:
        """The subdataset at *path*, as it is pinned.

        :raises UserError: when it cannot be used.
        """
        if path not in self._below:
            entry, submodule = self.entry(path), self.submodules.get(path)
            if entry is None or submodule is None or self.subdatasets is None:
                raise UserError(f"{path} is a subdataset that .gitmodules says nothing of")
            dataset = self.subdatasets.dataset(submodule, entry.oid)
            memory = self.cache.below.setdefault(self.subdatasets.name(submodule), PlanningCache())
            full = f"{self.path}/{path}" if self.path else path
            self._below[path] = CommitView(
                dataset.objects,
                entry.oid,
                memory,
                links=dataset.subdatasets,
                path=full,
                linked=dataset,
            )
        return self._below[path]

    def resolve(self, path: str) -> tuple[CommitView, str]:
        """The dataset that holds *path*, through as many subdatasets as it takes, and the rest."""
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            front = "/".join(parts[:count])
            entry = self.entry(front)
            if entry is None:
                break
            if entry.mode == SUBMODULE:
                return self.subdataset(front).resolve("/".join(parts[count:]))
        return self, path

    def files_below(self, path: str) -> Iterator[str]:
        """Paths of all files in a directory of the dataset."""
        entry = self.entry(path)
        if entry is not None and entry.mode == TREE:
            yield from (found for found, _ in walk_tree(self.objects.tree, entry.oid, path + "/"))

    def blob_at(self, path: str) -> bytes | None:
        """The content of a small file that is kept in git."""
        entry = self.entry(path)
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return None
        return self.objects.blob(entry.oid)

    @cached_property
    def origin(self) -> str:
        """The commit that a person pushed, of which this one carries results; else this commit."""
        facts = self.objects.commit(self.commit)
        claimed = parse_trailers(facts.message).get("Tea-Input", "")
        # Anybody can write such a line, or keep one whose commit was pushed away: it counts only if
        # results commits of the same push, and nothing else, lead there.
        with contextlib.suppress(OutsideError):
            for _ in range(_MOST_RESULTS if _COMMIT.fullmatch(claimed) else 0):
                if not facts.parents or parse_trailers(facts.message).get("Tea-Input") != claimed:
                    break
                if facts.parents[0] == claimed:
                    return claimed
                facts = self.objects.commit(facts.parents[0])
        return self.commit

    # -- pipelines ---------------------------------------------------------------------------

    @cached_property
    def _parsed(self) -> tuple[tuple[Pipeline, ...], tuple[Problem, ...]]:
        pipelines: list[Pipeline] = []
        problems: list[Problem] = []
        for path in self._spec_paths(self.root):
            entry = self.entry(path)
            assert entry is not None
            known = self.cache.parsed.get((entry.oid, path))
            if known is None:
                known = self._parse(path, entry)
                self.cache.parsed[entry.oid, path] = known
            pipelines += known[0]
            problems += known[1]
        return tuple(pipelines), tuple(problems)

    def _parse(
        self, path: str, entry: TreeEntry
    ) -> tuple[tuple[Pipeline, ...], tuple[Problem, ...]]:
        data = self.objects.blob(entry.oid) if entry.mode != SUBMODULE else None
        if data is not None and content_identity.pointer_key(entry.mode, data):
            # What a dataset does that was created without rules of its own: everybody meets this.
            text = "the pipeline file is annexed; it has to be kept in git"
            rule = "**/" + path.rpartition("/")[2] + " annex.largefiles=nothing"
            hint = (
                f"echo '{rule}' >> .gitattributes && git annex unannex {path} && "
                f"datalad save -m 'pipeline files in git'"
            )
            return (), (Problem.error(path, text, hint),)
        if data is None or entry.mode == LINK:
            limit = content_identity.SMALL_BLOB // 1024
            text = f"a pipeline file must be a plain file in git of less than {limit} KiB"
            return (), (Problem.error(path, text),)
        parsed = parse_specs(path, data, entry.oid)
        return parsed.pipelines, parsed.problems

    def _spec_paths(self, tree: str) -> tuple[str, ...]:
        known = self.cache.specs.get(tree)
        if known is None:
            found: list[str] = []
            entries = self.objects.tree(tree)
            below = (oid for mode, oid in entries.values() if mode == TREE)
            self.objects.read_trees(oid for oid in below if oid not in self.cache.specs)
            for name, entry in entries.items():
                if entry.mode == TREE and not name.startswith(".git"):
                    found += (f"{name}/{path}" for path in self._spec_paths(entry.oid))
                elif name in SPEC_NAMES and entry.mode != TREE:
                    found.append(name)
            known = self.cache.specs[tree] = tuple(found)
        return known

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is to be said about the pipeline files."""
        return self._parsed[1]

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines in an order in which each comes after those that it reads.

        :raises UserError: for two pipelines of one name or home, or a cycle.
        """
        found: dict[str, Pipeline] = {}
        homes: dict[str, Pipeline] = {}
        for pipeline in self._parsed[0]:
            other = found.setdefault(pipeline.name, pipeline)
            if other is not pipeline:
                raise SpecError(
                    f"two pipelines are called {pipeline.name}; the other is in {other.spec_path}",
                    file=pipeline.spec_path,
                    line=pipeline.spec_line,
                    key="pipeline.name",
                )
            homes[pipeline.home] = pipeline
        upstream = {name: self._upstream_names(found[name], found) for name in found}
        for name, names in upstream.items():
            if name in names:
                raise SpecError(
                    f"pipeline {name} would read its own results",
                    file=found[name].spec_path,
                    line=found[name].spec_line,
                    key="input",
                )
        return tuple(found[name] for name in order(sorted(found), upstream))

    def upstream(self, pipeline: Pipeline) -> tuple[Pipeline, ...]:
        """The pipelines whose results it reads."""
        by_name = {other.name: other for other in self.pipelines}
        return tuple(by_name[name] for name in self._upstream_names(pipeline, by_name))

    def _upstream_names(self, pipeline: Pipeline, by_name: dict[str, Pipeline]) -> tuple[str, ...]:
        names = []
        for leaf in pfs_leaves(pipeline.input):
            other = pipeline_of(leaf, by_name)
            if other is not None and other.name not in names:
                names.append(other.name)
        return tuple(names)

    # -- files ---------------------------------------------------------------------------------

    @cached_property
    def algorithm(self) -> str:
        """Hash algorithm of the dataset's annex backend."""
        return content_identity.backend_algorithm(
            annex_backend(self.blob_at(".gitattributes") or b"")
        )

    @cached_property
    def dataset_id(self) -> str:
        """``datalad.dataset.id`` of ``.datalad/config``, or the empty text."""
        for line in (self.blob_at(".datalad/config") or b"").decode("utf-8", "replace").split("\n"):
            name, equals, value = line.partition("=")
            if equals and name.strip() == "id":
                return value.strip()
        return ""

    def manifest(self, pipeline: Pipeline) -> Manifest:
        """The pipeline's manifest; an empty one where there is none that can be read."""
        return self.manifest_at(pipeline.home)

    def manifest_at(self, home: str) -> Manifest:
        """As :meth:`manifest`, of any directory."""
        prefix = home + "/" if home else ""
        head, pieces = prefix + manifest_text.NAME, prefix + manifest_text.DIRECTORY
        return read_manifest(self.objects, self.cache, self.entry(head), self.entry(pieces))

    def fact(self, path: str) -> FileFact:
        """What git knows of one file.

        :raises UserError: when it cannot be an input, with its name and the reason.
        """
        return self.fact_of(path, self.entry(path))

    def fact_of(self, path: str, entry: TreeEntry | None) -> FileFact:
        """As :meth:`fact`, for who has looked the path up."""
        if entry is None:
            raise UserError(f"{path} is not in commit {self.commit[:12]}")
        name = (self.algorithm, *entry)
        known = self.cache.facts.get(name)
        if known is None:
            self.load_facts([entry])
            known = self.cache.facts.get(name)
        if not known:
            raise UserError(self._unusable(path, entry))
        return known

    def _unusable(self, path: str, entry: TreeEntry) -> str:
        if entry.mode == LINK:
            target = (self.objects.blob(entry.oid) or b"").decode("utf-8", "replace")
            key = content_identity.pointer_key(LINK, target.encode())
            if key is None:
                return f"input {path} is a symlink to {target}, which is no annexed file"
        else:
            data = self.objects.blob(entry.oid) or b""
            if data.startswith(content_identity.LFS):
                return (
                    f"input {path} is kept by Git LFS, and LFS files are not supported; "
                    f"give it to git-annex: git lfs migrate export, then git annex add {path}"
                )
            key = content_identity.pointer_key(entry.mode, data)
        backend = (key or "").split("-", 1)[0]
        if content_identity.key_content(key or "") is not None:
            return (
                f"input {path} has an annex key of backend {backend}, and only cryptographically "
                f"safe hashes are accepted here (annex.strict_hashes); "
                f"give it one with: git annex migrate --backend=SHA256E {path}"
            )
        return (
            f"input {path} has an annex key of backend {backend}, which is no hash of its content; "
            f"give it one with: git annex migrate --backend=SHA256E {path}"
        )

    def without_facts(self, entries: Iterable[TreeEntry]) -> list[TreeEntry]:
        """Those of the files, each once, of which :meth:`fact` would have to ask git."""
        algorithm, find = self.algorithm, self.cache.facts.get
        return [e for e in dict.fromkeys(entries) if find((algorithm, *e)) is None]

    def load_facts(self, entries: Sequence[TreeEntry]) -> None:
        """Read what these files point to, all in one go, for :meth:`fact` to know.

        What was of no use lately is let go of before, so that memory does not grow with all files that
        were ever asked for.
        """
        self.cache.facts.evict(_FACTS)
        algorithm, keep = self.algorithm, self.cache.facts.put
        blobs = self.objects.blobs(oid for _, oid in entries)
        strict = self.cache.strict_hashes
        for mode, oid in entries:
            found = _identify(oid, blobs[oid], algorithm, link=mode == LINK)
            if not found or (strict and found[1] and found[0].is_weak):
                keep((algorithm, mode, oid), False)
            else:
                identity, key = found
                fact = fast_new(FileFact, (mode == EXECUTABLE, identity, key, oid))
                keep((algorithm, mode, oid), fact)


def pipeline_of(leaf: Pfs, by_name: dict[str, Pipeline]) -> Pipeline | None:
    repo = leaf.repo.strip("/")
    for pipeline in by_name.values():
        if pipeline.home == repo and repo:
            return pipeline
    return by_name.get(repo)


def _identify(
    oid: str, data: bytes | None, algorithm: str, *, link: bool
) -> tuple[content_identity.Content, str | None] | None:
    if data is not None:
        if not link and data.startswith(content_identity.LFS):
            return None
        key = content_identity.pointer_key(LINK if link else PLAIN, data)
        if key is not None:
            identity = content_identity.key_content(key)
            return (identity, key) if identity else None
    if link:
        return None
    return content_identity.blob_content(oid, data, algorithm), None
