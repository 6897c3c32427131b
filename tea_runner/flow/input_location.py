"""An input's name and a tip in; where in the dataset it is, and the files that lie there, out."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from tea_runner.core.datums.listing import Listing
from tea_runner.core.datums.view import FileFact, Source
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.git.tree import SUBMODULE, TREE, TreeEntry, lookup, walk_tree
from tea_runner.core.pipeline import Pfs, Pipeline
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.read_manifest import read_manifest

_HOUSEKEEPING = frozenset({".gitattributes", ".gitignore", ".gitmodules"})


@dataclass(frozen=True, kw_only=True)
class InputLocation:
    """What an input names.  Equal spots hold the same files with the same facts."""

    #: Path in the dataset that the files belong to, empty for its root; that dataset's own path.
    prefix: str
    dataset: str
    #: Id of the tree that stands there; empty where nothing does.
    tree: str
    #: Beginnings of paths that are left out: pipelines' homes, which hold results.
    skip: tuple[str, ...] = ()
    #: The pipeline whose results these are; empty for plain files.
    pipeline: str = ""
    #: What tells one content from another there.
    algorithm: str
    tip: CommitView = field(compare=False, repr=False)


def locate_input(tip: CommitView, pipeline: Pipeline, leaf: Pfs) -> InputLocation:
    """Where an input is.

    :raises UserError: when it names nothing, with what it may have meant.
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
    if found is None or found.mode != TREE:
        raise _no_such_place(tip, pipeline, leaf, found)
    base = prefix + "/" if prefix else ""
    homes = [p.home for p in tip.pipelines if p.home not in ("", prefix)]
    skip = [f"{home[len(base) :]}/" for home in homes if home.startswith(base)]
    if not prefix:
        skip.append(".datalad/")
    return InputLocation(
        prefix=prefix,
        dataset=tip.tree.path,
        tree=found.oid,
        skip=tuple(skip),
        algorithm=tip.files.algorithm,
        tip=tip,
    )


def list_files(spot: InputLocation) -> list[str]:
    """Paths below the spot of all that is data, in order."""
    read = spot.tip.tree.objects.tree
    if spot.pipeline:
        names = sorted(read_manifest(spot.tip.tree, spot.prefix).paths, key=_byte_order)
        return [name for name in names if spot.tree and lookup(read, spot.tree, name)]
    return [path for path, entry in walk_tree(read, spot.tree) if is_data(spot, path, entry)]


def is_data(spot: InputLocation, path: str, entry: TreeEntry | None) -> bool:
    """Not files of git itself, which are nobody's data, nor another pipeline's results."""
    if entry is None or entry.mode == SUBMODULE:
        return False
    return path.rpartition("/")[2] not in _HOUSEKEEPING and not path.startswith(spot.skip)


def make_source(spot: InputLocation, listing: Listing) -> Source:
    """The spot as a pipeline's input."""
    tip, inner = spot.tip, spot.prefix + "/" if spot.prefix else ""
    entry_of = tip.tree.reader()

    def fact(path: str) -> FileFact:
        full = inner + path
        return tip.files.fact_of(full, entry_of(full))

    return Source(
        prefix=spot.prefix,
        listing=listing,
        fact=fact,
        commit=tip.tree.commit,
        dataset=tip.tree.path,
    )


def place_of(tip: CommitView, leaf: Pfs) -> str:
    """Path in the dataset of what an input names: a directory, or a linked repository."""
    prefix = "" if leaf.repo in (".", "/") else leaf.repo.strip("/")
    if (
        tip.tree.subdatasets is not None
        and prefix
        and tip.tree.entry(prefix.split("/", 1)[0]) is None
    ):
        for path, submodule in tip.tree.submodules.items():
            try:
                name = tip.tree.subdatasets.name(submodule)
            except UserError:
                continue
            if prefix in (name, name.rpartition("/")[2]):
                return path
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
    if found is not None:
        text = f"{leaf.repo} is not a directory of this dataset"
    return SpecError(
        text,
        hint=f"did you mean {near[0]}?" if near else "",
        file=pipeline.spec_path,
        line=pipeline.spec_line,
        key="input.pfs.repo",
    )


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
