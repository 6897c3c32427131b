"""Locations of a pipeline's inputs in the dataset, and the files there."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import FileFact, Source
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.git.tree import SUBMODULE, TREE, TreeEntry, lookup, walk_tree
from tea_runner.core.pipeline import Pfs, Pipeline
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.former_folders import was_folder
from tea_runner.flow.read_manifest import read_manifest

_KEEP = ".gitkeep"
_HOUSEKEEPING = frozenset({".gitattributes", ".gitignore", ".gitmodules"})


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
            tip=tip,
        )
    tip, prefix = tip.resolve(place_of(tip, leaf))
    found = tip.tree.entry(prefix)
    is_gone = found is None and was_folder(tip.tree, prefix)
    if not is_gone and (found is None or found.mode != TREE):
        raise _no_such_place(tip, pipeline, leaf, found)
    base = prefix + "/" if prefix else ""
    homes = [p.home for p in tip.pipelines if p.home not in ("", prefix)]
    skip = [f"{home[len(base) :]}/" for home in homes if home.startswith(base)]
    if not prefix:
        skip.append(".datalad/")
    return InputLocation(
        prefix=prefix,
        dataset=tip.tree.path,
        tree=found.oid if found else "",
        is_gone=is_gone,
        skip=tuple(skip),
        algorithm=tip.files.algorithm,
        tip=tip,
    )


def list_files(location: InputLocation) -> list[str]:
    """Paths of all data files at the location, in byte order."""
    read = location.tip.tree.objects.tree
    if location.pipeline:
        names = sorted(read_manifest(location.tip.tree, location.prefix).paths, key=_byte_order)
        return [name for name in names if location.tree and lookup(read, location.tree, name)]
    entries = walk_tree(read, location.tree) if location.tree else ()
    return [path for path, entry in entries if is_data(location, path, entry)]


def is_data(location: InputLocation, path: str, entry: TreeEntry | None) -> bool:
    """Whether a file is an input: not a file of git itself, nor a result of another pipeline.

    ``.gitkeep`` directly in the directory of the input is there to keep it, and no data.
    """
    if entry is None or entry.mode == SUBMODULE or path == _KEEP:
        return False
    return path.rpartition("/")[2] not in _HOUSEKEEPING and not path.startswith(location.skip)


def make_source(location: InputLocation, listing: Listing) -> Source:
    """The location as an input of a pipeline."""
    tip, inner = location.tip, location.prefix + "/" if location.prefix else ""
    entry_of = tip.tree.reader()

    def fact(path: str) -> FileFact:
        full = inner + path
        return tip.files.fact_of(full, entry_of(full))

    return Source(
        prefix=location.prefix,
        listing=listing,
        fact=fact,
        commit=tip.tree.commit,
        dataset=tip.tree.path,
    )


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
    empty = f"an empty input is a folder with the file {leaf.place}/{_KEEP}"
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
