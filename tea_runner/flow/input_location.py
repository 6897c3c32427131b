"""Locations of a pipeline's inputs in the dataset, and the files there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import FileFact, Source
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.git.tree import TREE, TreeEntry, lookup
from tea_runner.core.glob.matcher import Glob
from tea_runner.core.pipeline import Pfs, Pipeline
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.former_folders import was_folder
from tea_runner.flow.nested_datasets import KEEP, FoundFiles, NestedDatasets, left_out
from tea_runner.flow.read_manifest import read_manifest


@dataclass(frozen=True, kw_only=True)
class InputLocation:
    """The directory that an input names; equal locations hold the same files with the same facts."""

    #: Path in the dataset that the files belong to, empty for its root; that dataset's own path.
    prefix: str
    dataset: str
    #: Id of the tree there; empty where there is none.
    tree: str
    #: Whether the directory is no longer there, so that the input is empty.
    is_gone: bool = False
    #: Prefixes of paths that are left out: homes of pipelines, which hold results.
    skip: tuple[str, ...] = ()
    #: The pipeline whose results these are; empty for plain files.
    pipeline: str = ""
    #: Hash algorithm of the dataset's annex backend.
    algorithm: str
    #: The input's glob: it decides which subdatasets below are read.
    glob: str
    #: Commits that replace pins of subdatasets below, by path in the dataset.
    pins: tuple[tuple[str, str], ...] = ()
    tip: CommitView = field(compare=False, repr=False)


def locate_input(tip: CommitView, pipeline: Pipeline, leaf: Pfs) -> InputLocation:
    """The location of an input.

    :raises UserError: when it names nothing; the message suggests a similar name.
    """
    other = tip.pipelines.source_of(leaf)
    if other is not None:
        home = tip.tree.entry(other.home)
        return InputLocation(
            prefix=other.home,
            dataset=tip.tree.path,
            pipeline=other.name,
            tree=home.oid if home and home.mode == TREE else "",
            algorithm=tip.files.algorithm,
            glob=leaf.glob,
            tip=tip,
        )
    tip, prefix = tip.resolve(place_of(tip, leaf))
    found = tip.tree.entry(prefix)
    is_gone = found is None and was_folder(tip.tree, prefix)
    if not is_gone and (found is None or found.mode != TREE):
        raise _no_such_place(tip, pipeline, leaf, found)
    base = prefix + "/" if prefix else ""
    return InputLocation(
        prefix=prefix,
        dataset=tip.tree.path,
        tree=found.oid if found else "",
        is_gone=is_gone,
        skip=left_out(tip, prefix),
        algorithm=tip.files.algorithm,
        glob=leaf.glob,
        pins=tuple(sorted(pin for pin in tip.tree.pins.items() if pin[0].startswith(base))),
        tip=tip,
    )


def list_files(location: InputLocation) -> FoundFiles:
    """Paths of all data files at the location, in byte order, and the subdatasets that some are in.

    :raises UserError: when a subdataset that the glob reaches may not or cannot be read.
    """
    read = location.tip.tree.objects.tree
    if location.pipeline:
        names = sorted(read_manifest(location.tip.tree, location.prefix).paths, key=_byte_order)
        return FoundFiles(
            [name for name in names if location.tree and lookup(read, location.tree, name)]
        )
    nested = nested_datasets(location)
    if location.tree:
        nested.collect(location.tip, location.tree, location.prefix, location.skip)
    nested.require_all(join(location.dataset, location.prefix))
    return nested.found


def nested_datasets(location: InputLocation) -> NestedDatasets:
    """Collects the subdatasets below a location that its glob reaches."""
    glob = Glob(location.glob)
    return NestedDatasets(lambda path: glob.reaches("/" + path))


def join(*parts: str) -> str:
    """A path of these parts, of which each may be empty."""
    return "/".join(filter(None, parts))


def make_source(location: InputLocation, listing: Listing, inner: Iterable[str] = ()) -> Source:
    """The location as an input of a pipeline.

    :param inner: paths below it of the subdatasets that some of its files are in.
    """
    tip, base = location.tip, location.prefix
    own = tip.tree.reader()
    readers: dict[str, tuple[CommitView, Callable[[str], TreeEntry | None]]] = {}

    def fact(path: str) -> FileFact:
        full = f"{base}/{path}" if base else path
        inside = source.subdataset_of(path)
        if inside is None:
            return tip.files.fact_of(full, own(full))
        if inside not in readers:
            view = tip.resolve(join(base, inside))[0]
            readers[inside] = (view, view.tree.reader())
        view, entry_of = readers[inside]
        rest = path[len(inside) + 1 :]
        return view.files.fact_of(rest, entry_of(rest))

    source = Source(
        prefix=base,
        listing=listing,
        fact=fact,
        commit=tip.tree.commit,
        dataset=tip.tree.path,
        inner=frozenset(inner),
    )
    return source


def place_of(tip: CommitView, leaf: Pfs) -> str:
    """The path that an input names: of a directory, or of a subdataset by its repository's name."""
    prefix = leaf.place
    if prefix and tip.tree.entry(prefix.split("/", 1)[0]) is None:
        return tip.tree.subdataset_called(prefix) or prefix
    return prefix


def _no_such_place(
    tip: CommitView, pipeline: Pipeline, leaf: Pfs, found: TreeEntry | None
) -> UserError:
    names = [other.name for other in tip.pipelines]
    names += [
        name for name, entry in tip.tree.objects.tree(tip.tree.root).items() if entry.mode == TREE
    ]
    near = difflib.get_close_matches(leaf.repo, names, 1)
    text = f"there is no pipeline or directory {leaf.repo} in this dataset"
    empty = f"an empty input is a folder with the file {leaf.place}/{KEEP}"
    if found is not None:
        empty = ""
        text = f"{leaf.repo} is not a directory of this dataset"
    return SpecError(
        text,
        hint=f"did you mean {near[0]}?" if near else empty,
        file=pipeline.spec_path,
        line=pipeline.spec_line,
        key="input.pfs.repo",
    )


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
