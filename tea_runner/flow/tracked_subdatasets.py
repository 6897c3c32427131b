"""Subdatasets whose pins follow a branch of their own repositories.

A spec of the superdataset subscribes with ``input.pfs.track``; the subdataset is not changed.
A pin moves in the results commit that needs it: a change of the subdataset that changes no key makes
no commit.
"""

from __future__ import annotations

from collections.abc import Iterable

from tea_runner.core.errors import UserError
from tea_runner.core.git.submodules import Submodule
from tea_runner.core.git.tree import SUBMODULE
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.results.run_record import MOST_CAUSES, parse_causes, parse_trailers
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import place_of

#: Results commits that may cause one another through several repositories.
MOST_HOPS = 16
HOPS = "Tea-Hops"


def tracked(tip: CommitReader) -> dict[str, tuple[Submodule, str]]:
    """Path of each subdataset that some pipeline tracks, with the branch that its spec names."""
    found: dict[str, tuple[Submodule, str]] = {}
    for pipeline in tip.pipelines:
        for leaf in pfs_leaves(pipeline.input):
            path = _subdataset(tip, leaf) if leaf.track else None
            if path is not None:
                found[path] = (tip.tree.submodules[path], leaf.branch)
    return found


def used(tip: CommitReader, pipeline: Pipeline) -> set[str]:
    """Paths of the subdatasets that a pipeline tracks."""
    paths = (_subdataset(tip, leaf) for leaf in pfs_leaves(pipeline.input) if leaf.track)
    return {path for path in paths if path is not None}


def _subdataset(tip: CommitReader, leaf: Pfs) -> str | None:
    """The path of the subdataset that an input is in; None when it is in the dataset itself."""
    place = place_of(tip, leaf)
    for path in tip.tree.submodules:
        if place == path or place.startswith(path + "/"):
            return path
    return None


def moved(tip: CommitReader) -> dict[str, str]:
    """Tracked subdatasets whose branch is not at their pin, with the commit of the branch.

    :raises UserError: when datasets track one another in a circle.
    :raises OutsideError: when a repository does not answer.
    """
    if tip.tree.subdatasets is None:
        return {}
    found = {}
    for path, (submodule, branch) in tracked(tip).items():
        entry = tip.tree.entry(path)
        upstream = tip.tree.subdatasets.tip(submodule, branch)
        if entry is None or entry.mode != SUBMODULE or upstream in (None, entry.oid):
            continue
        assert upstream is not None
        found[path] = upstream
    return found


def causes(tip: CommitReader, paths: Iterable[str]) -> tuple[str, ...]:
    """The commits that people pushed to other repositories, and that moved these pins.

    A results commit of a subdataset stands for what caused it, through any number of repositories.  They
    depend on the pins alone, so that the same inputs have the same causes.

    :raises OutsideError: when a repository does not answer.
    """
    found: set[str] = set()
    for path in paths:
        below = tip.tree.subdataset(path)
        origin = below.origin
        said: tuple[str, ...] = ()
        if origin != below.commit:
            said = parse_causes(below.objects.commit(below.commit).message)
        found.update(said or (origin,))
    return tuple(sorted(found)[:MOST_CAUSES])


def hops(tip: CommitReader, paths: set[str]) -> int:
    """The number of repositories between a push by a person and a results commit that moves these pins.

    :raises UserError: beyond :data:`MOST_HOPS`.
    """
    most = 0
    for path in paths:
        below = tip.tree.subdataset(path)
        message = below.objects.commit(below.commit).message
        said = parse_trailers(message).get(HOPS, "0")
        most = max(most, int(said) if said.isdigit() else 0)
    if most + 1 > MOST_HOPS:
        raise UserError(
            f"datasets follow one another in a circle: {', '.join(sorted(paths))} moved for the "
            f"{MOST_HOPS}th time without a push by a person; take track out of one of them"
        )
    return most + 1
