"""One commit in; its pipelines, their datums and their keys out, from git objects alone.

No checkout, no content, no git-annex: trees, and blobs small enough to be annex pointers or pipeline
files.  What was learned of a tree or a blob is remembered by its id, so that an unchanged part of a
dataset is never read twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tea_runner.core import content, manifest as manifests
from tea_runner.core.attributes import annex_backend
from tea_runner.core.datum import Datum
from tea_runner.core.datums import enumerate_datums
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.glob import Glob, expand
from tea_runner.core.graph import order
from tea_runner.core.keys import Base, SeenFile, base, datum_key
from tea_runner.core.listing import Listing
from tea_runner.core.manifest import Manifest, ManifestError, parse_manifest
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.plan import Keyed
from tea_runner.core.records import parse_trailers
from tea_runner.core.spec import Problem, parse_specs
from tea_runner.core.tree import LINK, SUBMODULE, TREE, TreeEntry, lookup, walk
from tea_runner.core.view import FileFact, Source, View, see
from tea_runner.ports import Objects

SPEC_NAMES = ("spec.yml", "spec.yaml", "spec.json")


@dataclass
class Memory:
    """What is remembered between commits of one repository, by object id."""

    #: Tree id to the paths of pipeline files below it.
    specs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Blob id and path to what the file says.
    parsed: dict[tuple[str, str], tuple[tuple[Pipeline, ...], tuple[Problem, ...]]] = field(
        default_factory=dict
    )
    #: (algorithm, is link, blob id) to identity and annex key; None where it is no usable input.
    contents: dict[tuple[str, bool, str], tuple[content.Content, str | None] | None] = field(
        default_factory=dict
    )
    manifests: dict[str, Manifest] = field(default_factory=dict)
    #: Home tree and manifest to the datums whose outputs are gone.
    lost: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Work:
    """One pipeline at one commit, ready to be decided: its datums and their keys."""

    pipeline: Pipeline
    shared: Base
    sources: tuple[Source, ...]
    datums: tuple[Datum, ...]
    keyed: tuple[Keyed, ...]
    #: Files of the dataset that the command sees besides its inputs.
    code: tuple[str, ...]

    @cached_property
    def by_label(self) -> dict[str, Datum]:
        """The datums by their labels."""
        return {datum.label: datum for datum in self.datums}

    def view(self, datum: Datum) -> View:
        """What the command sees of a datum."""
        return see(self.pipeline, datum, self.sources)

    def input_paths(self, datum: Datum) -> tuple[str, ...]:
        """Paths of the datum's entries in the dataset, for its record."""
        return tuple(self.sources[entry.input].path(entry.path) for entry in datum.entries)


class Tip:
    """A commit's tree, read as far as it is asked."""

    def __init__(self, objects: Objects, commit: str, memory: Memory) -> None:
        self.objects = objects
        self.commit = commit
        self.memory = memory
        self.root = objects.commit(commit).tree

    def entry(self, path: str) -> TreeEntry | None:
        """What stands at a path of the dataset."""
        return lookup(self.objects.tree, self.root, path)

    def blob_at(self, path: str) -> bytes | None:
        """The content of a small file that is kept in git."""
        entry = self.entry(path)
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return None
        return self.objects.blob(entry.oid)

    @cached_property
    def origin(self) -> str:
        """The commit that a person pushed, of which this one carries results; else this commit."""
        message = self.objects.commit(self.commit).message
        return parse_trailers(message).get("Tea-Input") or self.commit

    # -- pipelines ---------------------------------------------------------------------------

    @cached_property
    def _parsed(self) -> tuple[tuple[Pipeline, ...], tuple[Problem, ...]]:
        pipelines: list[Pipeline] = []
        problems: list[Problem] = []
        for path in self._spec_paths(self.root):
            entry = self.entry(path)
            assert entry is not None
            known = self.memory.parsed.get((entry.oid, path))
            if known is None:
                known = self._parse(path, entry)
                self.memory.parsed[entry.oid, path] = known
            pipelines += known[0]
            problems += known[1]
        return tuple(pipelines), tuple(problems)

    def _parse(
        self, path: str, entry: TreeEntry
    ) -> tuple[tuple[Pipeline, ...], tuple[Problem, ...]]:
        data = self.objects.blob(entry.oid) if entry.mode not in (LINK, SUBMODULE) else None
        if data is None or content.pointer_key(entry.mode, data):
            text = "a pipeline file must be a plain file in git of at most 64 KiB"
            return (), (Problem.error(path, text),)
        parsed = parse_specs(path, data, entry.oid)
        return parsed.pipelines, parsed.problems

    def _spec_paths(self, tree: str) -> tuple[str, ...]:
        known = self.memory.specs.get(tree)
        if known is None:
            found: list[str] = []
            for name, entry in self.objects.tree(tree).items():
                if entry.mode == TREE and not name.startswith(".git"):
                    found += (f"{name}/{path}" for path in self._spec_paths(entry.oid))
                elif name in SPEC_NAMES and entry.mode != TREE:
                    found.append(name)
            known = self.memory.specs[tree] = tuple(found)
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
            other = _pipeline_of(leaf, by_name)
            if other is not None and other.name not in names:
                names.append(other.name)
        return tuple(names)

    # -- what pipelines read -----------------------------------------------------------------

    @cached_property
    def algorithm(self) -> str:
        """Hash algorithm of the dataset's annex backend."""
        return content.backend_algorithm(annex_backend(self.blob_at(".gitattributes") or b""))

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
        path = f"{pipeline.home}/{manifests.NAME}" if pipeline.home else manifests.NAME
        entry = self.entry(path)
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return Manifest()
        known = self.memory.manifests.get(entry.oid)
        if known is None:
            try:
                known = parse_manifest(self.objects.blob(entry.oid) or b"")
            except ManifestError:
                known = Manifest()
            self.memory.manifests[entry.oid] = known
        return known

    def work(self, pipeline: Pipeline, environment: Sequence[str]) -> Work:
        """The pipeline's datums with their keys.

        :raises UserError: when an input names nothing, or has content without a hash.
        """
        leaves = pfs_leaves(pipeline.input)
        sources = tuple(self._source(pipeline, number) for number in range(len(leaves)))
        listings = {number: source.listing for number, source in enumerate(sources)}
        datums = enumerate_datums(pipeline, listings)
        self._prefetch(datums, sources)
        code = self._code(pipeline)
        shared = base(pipeline, environment, [seen for _, seen in code])
        keyed = []
        for datum in datums:
            inputs = see(pipeline, datum, sources).inputs
            keyed.append(Keyed(datum.label, datum_key(shared, inputs), place(pipeline, datum)))
        return Work(
            pipeline=pipeline,
            shared=shared,
            sources=sources,
            datums=datums,
            keyed=tuple(keyed),
            code=tuple(path for path, _ in code),
        )

    def _source(self, pipeline: Pipeline, number: int) -> Source:
        leaf = pfs_leaves(pipeline.input)[number]
        by_name = {other.name: other for other in self.pipelines}
        other = _pipeline_of(leaf, by_name)
        if other is not None:
            home = self.entry(other.home)
            names = sorted(
                (path for row in self.manifest(other).rows for path in row.paths),
                key=_byte_order,
            )
            tree = home.oid if home and home.mode == TREE else None
            files = [n for n in names if tree and lookup(self.objects.tree, tree, n)]
            return self._make_source(other.home, files)
        prefix = "" if leaf.repo in (".", "/") else leaf.repo.strip("/")
        found = self.entry(prefix)
        if found is None or found.mode != TREE:
            raise self._no_such_place(pipeline, leaf, found)
        homes = [p.home for p in self.pipelines if p.home != ""]
        base_path = prefix + "/" if prefix else ""
        inner = tuple(h[len(base_path) :] for h in homes if h.startswith(base_path) and h != prefix)
        files = [
            path
            for path, entry in walk(self.objects.tree, found.oid)
            if entry.mode != SUBMODULE
            and not _housekeeping(path, at_root=not prefix)
            and not any(path.startswith(home + "/") for home in inner)
        ]
        return self._make_source(prefix, files)

    def _no_such_place(self, pipeline: Pipeline, leaf: Pfs, found: TreeEntry | None) -> UserError:
        names = [other.name for other in self.pipelines]
        names += [name for name, entry in self.objects.tree(self.root).items() if entry.mode == TREE]
        near = difflib.get_close_matches(leaf.repo, names, 1)
        text = f"there is no pipeline or directory {leaf.repo} in this dataset"
        if found is not None:
            text = f"{leaf.repo} is not a directory of this dataset"
        if near:
            text += f"; did you mean {near[0]}?"
        return SpecError(
            text, file=pipeline.spec_path, line=pipeline.spec_line, key="input.pfs.repo"
        )

    def _make_source(self, prefix: str, files: Sequence[str]) -> Source:
        def fact(path: str) -> FileFact:
            return self.fact(f"{prefix}/{path}" if prefix else path)

        return Source(prefix=prefix, listing=Listing(files), fact=fact, commit=self.commit)

    def fact(self, path: str) -> FileFact:
        """What git knows of one file.

        :raises UserError: when it cannot be an input, with its name and the reason.
        """
        entry = self.entry(path)
        if entry is None:
            raise UserError(f"{path} is not in commit {self.commit[:12]}")
        known = self.memory.contents.get((self.algorithm, entry.mode == LINK, entry.oid), ...)
        if known is ...:
            self._learn([entry])
            known = self.memory.contents[self.algorithm, entry.mode == LINK, entry.oid]
        if known is None:
            raise UserError(self._unusable(path, entry))
        assert known is not ...
        identity, key = known
        return FileFact(entry.mode == 0o100755, identity, key, entry.oid)

    def _unusable(self, path: str, entry: TreeEntry) -> str:
        if entry.mode == LINK:
            target = (self.objects.blob(entry.oid) or b"").decode("utf-8", "replace")
            key = content.pointer_key(LINK, target.encode())
            if key is None:
                return f"input {path} is a symlink to {target}, which is no annexed file"
        else:
            key = content.pointer_key(entry.mode, self.objects.blob(entry.oid) or b"")
        backend = (key or "").split("-", 1)[0]
        return (
            f"input {path} has an annex key of backend {backend}, which is no hash of its content; "
            f"give it one with: git annex migrate --backend=SHA256E {path}"
        )

    def _learn(self, entries: Sequence[TreeEntry]) -> None:
        algorithm = self.algorithm
        unknown = {
            entry.oid: entry.mode == LINK
            for entry in entries
            if (algorithm, entry.mode == LINK, entry.oid) not in self.memory.contents
        }
        for oid, data in self.objects.blobs(unknown).items():
            link = unknown[oid]
            self.memory.contents[algorithm, link, oid] = _identify(oid, data, algorithm, link=link)

    def _prefetch(self, datums: Sequence[Datum], sources: Sequence[Source]) -> None:
        """Learn of all matched files in one go, instead of one after the other."""
        entries: list[TreeEntry] = []
        for datum in datums:
            for item in datum.entries:
                source = sources[item.input]
                paths = source.listing.files_below(item.path) if item.is_dir else (item.path,)
                for path in paths:
                    entry = self.entry(source.path(path))
                    if entry is not None:
                        entries.append(entry)
        self._learn(entries)

    def _code(self, pipeline: Pipeline) -> list[tuple[str, SeenFile]]:
        """The declared files that the command sees besides its inputs."""
        if pipeline.transform.code is None:
            paths = self._default_code(pipeline)
        else:
            globs = [Glob(pattern) for pattern in pipeline.transform.code]
            paths = [
                path
                for path, entry in walk(self.objects.tree, self.root)
                if entry.mode != SUBMODULE and any(g.match("/" + path) for g in globs)
            ]
        seen = []
        for path in paths:
            fact = self.fact(path)
            seen.append((path, SeenFile(path, fact.executable, fact.content)))
        return seen

    def _default_code(self, pipeline: Pipeline) -> list[str]:
        """``code/`` and the files beside the pipeline file that are not results."""
        paths = []
        code = self.entry("code")
        if code is not None and code.mode == TREE:
            paths += [
                path
                for path, entry in walk(self.objects.tree, code.oid, "code/")
                if entry.mode != SUBMODULE
            ]
        beside = pipeline.spec_path.rpartition("/")[0]
        home = self.entry(beside)
        owned = {
            f"{other.home}/{path}" if other.home else path
            for other in self.pipelines
            for row in self.manifest(other).rows
            for path in row.paths
        }
        if home is not None and home.mode == TREE and beside:
            for name, entry in self.objects.tree(home.oid).items():
                path = f"{beside}/{name}"
                skip = name in SPEC_NAMES or name == manifests.NAME or name.startswith(".git")
                if entry.mode in (TREE, SUBMODULE) or skip or path in owned or path in paths:
                    continue
                paths.append(path)
        return sorted(paths, key=_byte_order)


def place(pipeline: Pipeline, datum: Datum) -> str:
    """Directory below the pipeline's home where the system puts the datum's outputs.

    :raises UserError: when the template gives no place inside the home.
    """
    if pipeline.output_path is None:
        return ""
    captures = next((entry.captures for entry in datum.entries if len(entry.captures) > 1), ())
    captures = captures or (datum.entries[0].captures if datum.entries else ())
    text = expand(pipeline.output_path, captures).strip("/")
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise UserError(
            f"{pipeline.spec_path}: output.path: {pipeline.output_path} gives {text or 'nothing'} "
            f"for datum {datum.label}; use captures that the glob makes, such as $1"
        )
    return text


def _pipeline_of(leaf: Pfs, by_name: dict[str, Pipeline]) -> Pipeline | None:
    repo = leaf.repo.strip("/")
    for pipeline in by_name.values():
        if pipeline.home == repo and repo:
            return pipeline
    return by_name.get(repo)


def _housekeeping(path: str, *, at_root: bool) -> bool:
    """Files of git, git-annex and DataLad themselves, which are nobody's data."""
    first = path.split("/", 1)[0]
    name = path.rsplit("/", 1)[-1]
    return (at_root and first == ".datalad") or name in (".gitattributes", ".gitignore", ".gitmodules")


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _identify(
    oid: str, data: bytes | None, algorithm: str, *, link: bool
) -> tuple[content.Content, str | None] | None:
    if data is not None:
        key = content.pointer_key(LINK if link else 0o100644, data)
        if key is not None:
            identity = content.key_content(key)
            return (identity, key) if identity else None
    if link:
        return None
    return content.blob_content(oid, data, algorithm), None

