"""One pipeline at one commit in; its datums, their keys and what their commands may see out."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tea_runner.core import manifest as manifests
from tea_runner.core.containers import container_image, image_digest
from tea_runner.core.datum import Datum
from tea_runner.core.datums import enumerate_datums
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.glob import Glob, expand
from tea_runner.core.keys import Base, SeenFile, base, combined_digest, datum_key
from tea_runner.core.listing import Listing
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.plan import Keyed
from tea_runner.core.tree import SUBMODULE, TREE, TreeEntry, lookup, walk
from tea_runner.core.view import FileFact, Source, View, see
from tea_runner.flow.tip import SPEC_NAMES, Tip, pipeline_of


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
    #: The file of the dataset that is the container's image, if one is.
    image: str = ""
    #: ``propagation_spec.never``: digest of all that may start work; empty where everything may.
    trigger: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """What the manifest remembers of what all keys share, and of what may start work."""
        return {**self.shared.parts, **({"trigger": self.trigger} if self.trigger else {})}

    @cached_property
    def by_label(self) -> dict[str, Datum]:
        """The datums by their labels."""
        return {datum.label: datum for datum in self.datums}

    def view(self, datum: Datum) -> View:
        """What the command sees of a datum."""
        return see(self.pipeline, datum, self.sources)

    def input_bytes(self, datum: Datum) -> int:
        """Bytes of the datum's inputs, as far as git knows their sizes."""
        view = self.view(datum)
        facts = (self.sources[shown.input].fact(shown.path) for shown in view.files)
        return sum(max(fact.content.size, 0) for fact in facts)

    def input_paths(self, datum: Datum) -> tuple[str, ...]:
        """Paths of the datum's entries in the dataset, for its record."""
        return tuple(self.sources[entry.input].path(entry.path) for entry in datum.entries)


def derive(tip: Tip, pipeline: Pipeline) -> Work:
    """The pipeline's datums with their keys.

    :raises UserError: when an input names nothing, or has content without a hash.
    """
    leaves = pfs_leaves(pipeline.input)
    sources = tuple(_source(tip, pipeline, number) for number in range(len(leaves)))
    listings = {number: source.listing for number, source in enumerate(sources)}
    datums = enumerate_datums(pipeline, listings)
    _prefetch(tip, datums, sources)
    code = _code(tip, pipeline)
    image, identity = environment_of(tip, pipeline)
    every = tip.origin if pipeline.reprocess == "every_job" else ""
    shared = base(pipeline, identity, [seen for _, seen in code], push=every)
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
        image=image,
        trigger=_trigger(pipeline, datums, sources, shared),
    )


def _trigger(
    pipeline: Pipeline, datums: Sequence[Datum], sources: Sequence[Source], shared: Base
) -> str:
    """A digest of all datums without those inputs whose change alone is to start nothing."""
    leaves = pfs_leaves(pipeline.input)
    if not any(leaf.propagation_never for leaf in leaves):
        return ""
    silent = {leaf.name for leaf in leaves if leaf.propagation_never}
    keys = set()
    for datum in datums:
        inputs = [seen for seen in see(pipeline, datum, sources).inputs if seen.name not in silent]
        keys.add(datum_key(shared, inputs))
    return combined_digest(sorted(keys))


def environment_of(tip: Tip, pipeline: Pipeline) -> tuple[str, tuple[str, ...]]:
    """The annexed image of a pipeline (or nothing), and what identifies its environment.

    The image is known by its content: the same bytes are the same environment, under any name.
    """
    image = pipeline.transform.image
    if not image:
        return "", ("host",)
    digest = image_digest(image)
    if digest:
        return "", ("image", digest)
    path = container_image(tip.blob_at(".datalad/config") or b"", image)
    if not path:
        raise SpecError(
            f"this dataset has no container {image}; add it with datalad containers-add, "
            f"or pin an image of a registry as name@sha256:…",
            file=pipeline.spec_path, line=pipeline.spec_line, key="transform.image",
        )  # fmt: skip
    return path, ("image", str(tip.fact(path).content))


def _source(tip: Tip, pipeline: Pipeline, number: int) -> Source:
    leaf = pfs_leaves(pipeline.input)[number]
    by_name = {other.name: other for other in tip.pipelines}
    other = pipeline_of(leaf, by_name)
    if other is not None:
        home = tip.entry(other.home)
        names = sorted(
            (path for row in tip.manifest(other).rows for path in row.paths),
            key=_byte_order,
        )
        tree = home.oid if home and home.mode == TREE else None
        files = [n for n in names if tree and lookup(tip.objects.tree, tree, n)]
        return _make_source(tip, other.home, files)
    tip, prefix = tip.reach(place_of(tip, leaf))
    found = tip.entry(prefix)
    if found is None or found.mode != TREE:
        raise _no_such_place(tip, pipeline, leaf, found)
    homes = [p.home for p in tip.pipelines if p.home != ""]
    base_path = prefix + "/" if prefix else ""
    inner = tuple(h[len(base_path) :] for h in homes if h.startswith(base_path) and h != prefix)
    files = [
        path
        for path, entry in walk(tip.objects.tree, found.oid)
        if entry.mode != SUBMODULE
        and not _housekeeping(path, at_root=not prefix)
        and not any(path.startswith(home + "/") for home in inner)
    ]
    return _make_source(tip, prefix, files)


def place_of(tip: Tip, leaf: Pfs) -> str:
    """Path in the dataset of what an input names: a directory, or a linked repository."""
    prefix = "" if leaf.repo in (".", "/") else leaf.repo.strip("/")
    if tip.links is not None and prefix and tip.entry(prefix.split("/", 1)[0]) is None:
        for path, submodule in tip.submodules.items():
            try:
                name = tip.links.name(submodule)
            except UserError:
                continue
            if prefix in (name, name.rpartition("/")[2]):
                return path
    return prefix


def _no_such_place(tip: Tip, pipeline: Pipeline, leaf: Pfs, found: TreeEntry | None) -> UserError:
    names = [other.name for other in tip.pipelines]
    names += [name for name, entry in tip.objects.tree(tip.root).items() if entry.mode == TREE]
    near = difflib.get_close_matches(leaf.repo, names, 1)
    text = f"there is no pipeline or directory {leaf.repo} in this dataset"
    if found is not None:
        text = f"{leaf.repo} is not a directory of this dataset"
    if near:
        text += f"; did you mean {near[0]}?"
    return SpecError(text, file=pipeline.spec_path, line=pipeline.spec_line, key="input.pfs.repo")


def _make_source(tip: Tip, prefix: str, files: Sequence[str]) -> Source:
    def fact(path: str) -> FileFact:
        return tip.fact(f"{prefix}/{path}" if prefix else path)

    return Source(
        prefix=prefix, listing=Listing(files), fact=fact, commit=tip.commit, dataset=tip.path
    )


def _prefetch(tip: Tip, datums: Sequence[Datum], sources: Sequence[Source]) -> None:
    """Learn of all matched files in one go, instead of one after the other."""
    entries: dict[str, list[TreeEntry]] = {}
    tips = {source.dataset: tip.reach(source.dataset)[0] for source in sources}
    for datum in datums:
        for item in datum.entries:
            source = sources[item.input]
            paths = source.listing.files_below(item.path) if item.is_dir else (item.path,)
            for path in paths:
                entry = tips[source.dataset].entry(source.inner_path(path))
                if entry is not None:
                    entries.setdefault(source.dataset, []).append(entry)
    for dataset, found in entries.items():
        tips[dataset].learn(found)


def _code(tip: Tip, pipeline: Pipeline) -> list[tuple[str, SeenFile]]:
    """The declared files that the command sees besides its inputs."""
    if pipeline.transform.code is None:
        paths = _default_code(tip, pipeline)
    else:
        globs = [Glob(pattern) for pattern in pipeline.transform.code]
        paths = [
            path
            for path, entry in walk(tip.objects.tree, tip.root)
            if entry.mode != SUBMODULE and any(g.match("/" + path) for g in globs)
        ]
    seen = []
    for path in paths:
        fact = tip.fact(path)
        seen.append((path, SeenFile(path, fact.executable, fact.content)))
    return seen


def _default_code(tip: Tip, pipeline: Pipeline) -> list[str]:
    """``code/`` and the files beside the pipeline file that are not results."""
    paths = []
    code = tip.entry("code")
    if code is not None and code.mode == TREE:
        paths += [
            path
            for path, entry in walk(tip.objects.tree, code.oid, "code/")
            if entry.mode != SUBMODULE
        ]
    beside = pipeline.spec_path.rpartition("/")[0]
    home = tip.entry(beside)
    owned = {
        f"{other.home}/{path}" if other.home else path
        for other in tip.pipelines
        for row in tip.manifest(other).rows
        for path in row.paths
    }
    if home is not None and home.mode == TREE and beside:
        for name, entry in tip.objects.tree(home.oid).items():
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


def _housekeeping(path: str, *, at_root: bool) -> bool:
    """Files of git, git-annex and DataLad themselves, which are nobody's data."""
    first = path.split("/", 1)[0]
    name = path.rsplit("/", 1)[-1]
    return (at_root and first == ".datalad") or name in (
        ".gitattributes",
        ".gitignore",
        ".gitmodules",
    )


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
