"""Paths that a row of a manifest may claim, but that are no outputs of its pipeline.

Everybody who may push can write a row.  What a row claims is replaced and deleted with the results of
its datum, so it is limited here to what is not plainly something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.reserved_names import is_code, reserved_part
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import place_of
from tea_runner.flow.read_manifest import read_manifest


def falsely_claimed_paths(
    tip: CommitReader, pipeline: Pipeline, *, is_signed: bool
) -> Callable[[Collection[str]], set[str]]:
    """What finds those of some paths below a pipeline's home that are not its outputs.

    Those are files of reserved names, code of all pipelines, results of others, and, where nobody signed
    the manifest, inputs.

    :param is_signed: whether the rows of the manifest at the tip are proven.
    """

    def foreign(paths: Collection[str]) -> set[str]:
        if not paths:
            return set()
        found = {path for path in paths if reserved_part(path)}
        if not pipeline.home:
            found.update(filter(is_code, paths))
        found |= _results_of_others(tip, pipeline, paths)
        if not is_signed:
            found.update(_below(_input_folders(tip, pipeline), paths))
        return found

    return foreign


def _results_of_others(tip: CommitReader, pipeline: Pipeline, paths: Collection[str]) -> set[str]:
    base = join(pipeline.home, "")
    found = set[str]()
    for other in tip.pipelines:
        prefix = join(other.home, "")
        if other.home == pipeline.home or not (prefix.startswith(base) or base.startswith(prefix)):
            continue
        inner, outer = prefix[len(base) :], base[len(prefix) :]
        below = {outer + path[len(inner) :]: path for path in _below([inner], paths)}
        if below:
            found.update(below[path] for path in read_manifest(tip.tree, other.home).owned(below))
    return found


def _input_folders(tip: CommitReader, pipeline: Pipeline) -> list[str]:
    """The folders below the home that any pipeline reads and none writes, relative to the home."""
    base = join(pipeline.home, "")
    leaves = [leaf for each in tip.pipelines for leaf in pfs_leaves(each.input)]
    folders = [
        join(place_of(tip, leaf), "") for leaf in leaves if tip.pipelines.source_of(leaf) is None
    ]
    return [folder[len(base) :] for folder in folders if folder.startswith(base) and folder != base]


def _below(folders: Iterable[str], paths: Collection[str]) -> list[str]:
    start = tuple(folders)
    return [path for path in paths if path.startswith(start)]
