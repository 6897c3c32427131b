"""Differences between a manifest and the tree, found by what differs from a tree before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tea_runner.core.errors import OutsideError
from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import differences
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.edited_or_missing_outputs import (
    NO_CHANGED_OUTPUTS,
    ChangedOutputs,
    changed_outputs,
    differences_of,
    home_tree,
)
from tea_runner.flow.paths_that_are_no_outputs import falsely_claimed_paths

#: Changed files of a home up to which differences are found by them.
_MAX_HOME_CHANGES = 10_000
#: Rows of manifests whose differences are cached between two plans.
_MAX_ROWS = 20_000


class IncrementalChangedOutputs:
    """Finds missing and edited outputs, for all pipelines of one repository."""

    def __init__(self) -> None:
        #: A pipeline's name to the tree of its home and the manifest when nothing was different.
        self._complete: dict[str, tuple[str, Manifest]] = {}
        #: Tree of a home to the manifest in it and the differences.
        self._found: GenerationalCache[str, tuple[Manifest, ChangedOutputs]]
        self._found = GenerationalCache(lambda found: found[0].count + 1)

    def __len__(self) -> int:
        """The number of homes that are cached."""
        return len(self._found)

    def of(self, tip: CommitReader, pipeline: Pipeline, before: Manifest) -> ChangedOutputs:
        """See :func:`~tea_runner.flow.edited_or_missing_outputs.changed_outputs`."""
        tree = home_tree(tip, pipeline)
        manifest, different = self._found.get(tree) or (None, NO_CHANGED_OUTPUTS)
        if manifest is not before:
            old_tree, old = self._complete.get(pipeline.name, ("", before))
            found = _differences_since(tip, pipeline, before, tree, old_tree, old)
            different = changed_outputs(tip, pipeline, before) if found is None else found
            self._found.put(tree, (before, different))
        if different == NO_CHANGED_OUTPUTS:
            self._complete[pipeline.name] = (tree, before)
        return different

    def evict_unused(self) -> None:
        """Evict what the last plan did not use."""
        self._found.evict(_MAX_ROWS)

    def clear(self) -> None:
        """Release everything."""
        self._complete.clear()
        self._found.clear()


def _differences_since(
    tip: CommitReader,
    pipeline: Pipeline,
    before: Manifest,
    tree: str,
    old_tree: str,
    old: Manifest,
) -> ChangedOutputs | None:
    """The differences, by what differs from a tree in which there were none.

    None where too much differs, or an output was removed whose row is the same.
    """
    labels = before.differing(old) if tree and old_tree else None
    if labels is None:
        return None
    try:
        changes = differences(tip.tree.objects.tree, old_tree, tree)
        steps = list(islice(changes, _MAX_HOME_CHANGES + 1))
    except OutsideError:  # the former commit was pushed away, and its objects are deleted
        return None
    old_rows = [old.row(label) for label in labels]
    rows = [row for label in sorted(labels) if (row := before.row(label)) is not None]
    theirs = {path for row in (*old_rows, *rows) if row is not None for path in row.paths}
    if len(steps) > _MAX_HOME_CHANGES:
        return None
    if any(new is None and path not in theirs for path, _, new in steps):
        return None
    written = {path for path, former, _ in steps if former is not None and path not in theirs}
    return differences_of(tip, pipeline, [*rows, *_rows_of(tip, pipeline, before, written)])


def _rows_of(
    tip: CommitReader, pipeline: Pipeline, manifest: Manifest, paths: Iterable[str]
) -> Iterator[Row]:
    """The rows with one of these outputs."""
    written = set(paths)
    # With a home at the top of the dataset, nearly all changed files are no outputs of the pipeline.
    possible = written - falsely_claimed_paths(tip, pipeline, is_signed=False)(written)
    if not possible:
        return
    for piece in manifest.pieces:
        for row in piece.rows:
            if not possible.isdisjoint(row.paths):
                yield row
