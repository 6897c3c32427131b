"""Locations of a pipeline's inputs in the dataset, and the files there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tea_runner.core.datums.file_fact import FileFact, InputLinks, LinkedFile
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import Source
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.git.tree import LINK, TREE, TreeEntry, lookup
from tea_runner.core.glob.matcher import Glob
from tea_runner.core.pipeline import Pfs, Pipeline
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.deleted_folders import was_folder
from tea_runner.flow.follow_links import Followed, within
from tea_runner.flow.linked_folders import LinkedFolders
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
    #: Paths in the planned dataset of links that lead to the directory.
    through: tuple[str, ...] = field(default=(), compare=False)
    tip: CommitReader = field(compare=False, repr=False)


def locate_input(tip: CommitReader, pipeline: Pipeline, leaf: Pfs) -> InputLocation:
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
    through: tuple[str, ...] = ()
    if found is None or found.mode == LINK:
        followed = _behind_links(tip, pipeline, leaf, prefix)
        if followed is not None:
            tip, prefix = tip.view_of(followed.tree), followed.path
            found, through = followed.entry, followed.through
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
        through=through,
        pins=tuple(sorted(pin for pin in tip.tree.pins.items() if pin[0].startswith(base))),
        tip=tip,
    )


def _behind_links(tip: CommitReader, pipeline: Pipeline, leaf: Pfs, prefix: str) -> Followed | None:
    """What an input leads to by links; None without a link.

    :raises SpecError: when a link cannot be followed, or leads to results.
    """
    followed = tip.files.follow(prefix)
    if followed is None or not followed.through:
        return None
    problem, hint = followed.problem, ""
    for other in tip.pipelines.written:
        if other.home and within(followed.full_path, other.home):
            problem = f"{leaf.repo} is a link to results of pipeline {other.name}"
            hint = f"write repo: {other.name}"
    if problem:
        at, line = pipeline.spec_path, pipeline.spec_line
        raise SpecError(problem, hint=hint, file=at, line=line, key="input.pfs.repo")
    return followed


def list_files(location: InputLocation) -> FoundFiles:
    """Paths of all data files at the location, in byte order, and the subdatasets that some are in.

    :raises UserError: when a subdataset that the glob reaches may not or cannot be read.
    """
    read = location.tip.tree.objects.tree
    if location.pipeline:
        glob, found = Glob(location.glob), FoundFiles()
        for name in sorted(
            read_manifest(location.tip.tree, location.prefix).paths, key=_byte_order
        ):
            entry = lookup(read, location.tree, name) if location.tree else None
            if entry is not None:
                found.files.append(name)
                if entry.mode == LINK and glob.goes_below("/" + name):
                    found.links.append(name)
        return found
    nested = nested_datasets(location)
    if location.tree:
        nested.collect(location.tip, location.tree, location.prefix, location.skip)
    nested.require_all(join(location.dataset, location.prefix))
    return nested.found


def nested_datasets(location: InputLocation) -> NestedDatasets:
    """Collects the subdatasets below a location that its glob reaches."""
    glob = Glob(location.glob)
    return NestedDatasets(
        lambda path: glob.reaches("/" + path), opens=lambda path: glob.goes_below("/" + path)
    )


def linked_folders(location: InputLocation, links: InputLinks) -> LinkedFolders:
    """Replaces links to folders below a location by the files there.

    :param links: where they are noted.
    """
    glob = Glob(location.glob)
    return LinkedFolders(
        tip=location.tip,
        prefix=location.prefix,
        links=links,
        reaches=lambda path: glob.reaches("/" + path),
    )


def join(*parts: str) -> str:
    """A path of these parts, of which each may be empty."""
    return "/".join(filter(None, parts))


def make_source(
    location: InputLocation,
    listing: Listing,
    inner: Iterable[str] = (),
    links: InputLinks | None = None,
) -> Source:
    """The location as an input of a pipeline.

    :param inner: paths below it of the subdatasets that some of its files are in.
    :param links: those among its files; others are added as they are found.
    """
    followed = InputLinks() if links is None else links
    tip, base = location.tip, location.prefix
    own = tip.tree.reader()
    readers: dict[str, tuple[CommitReader, Callable[[str], TreeEntry | None]]] = {}

    def fact(path: str) -> FileFact:
        found = fact_of(path)
        if isinstance(found, LinkedFile):
            followed.files[path] = found
        return found

    def fact_of(path: str) -> FileFact:
        if path in followed.refused:
            return followed.refused[path]
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
        links=followed,
    )
    return source


def place_of(tip: CommitReader, leaf: Pfs) -> str:
    """The path that an input names: of a directory, or of a subdataset by its repository's name."""
    prefix = leaf.place
    if prefix and tip.tree.entry(prefix.split("/", 1)[0]) is None:
        return tip.tree.subdataset_called(prefix) or prefix
    return prefix


def _no_such_place(
    tip: CommitReader, pipeline: Pipeline, leaf: Pfs, found: TreeEntry | None
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
