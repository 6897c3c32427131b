"""Outputs that are in a manifest but not in the tree, found by what differs from a tree before."""

from __future__ import annotations

from itertools import islice

from tea_runner.core.errors import OutsideError
from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import differences
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.make_plan import datums_without_outputs, home_tree, missing_outputs

#: Changed files of a home up to which missing outputs are found by them.
_MAX_HOME_CHANGES = 10_000
#: Rows of manifests whose missing outputs are cached between two plans.
_MAX_ROWS = 20_000


class MissingOutputs:
    """Finds the datums whose outputs are missing, for all pipelines of one repository."""

    def __init__(self) -> None:
        #: A pipeline's name to the tree of its home and the manifest when no output was missing.
        self._complete: dict[str, tuple[str, Manifest]] = {}
        #: Tree of a home to the manifest in it and the datums with missing outputs.
        self._found: GenerationalCache[str, tuple[Manifest, tuple[str, ...]]]
        self._found = GenerationalCache(lambda found: found[0].count + 1)

    def __len__(self) -> int:
        """The number of homes that are cached."""
        return len(self._found)

    def of(self, tip: CommitView, pipeline: Pipeline, before: Manifest) -> tuple[str, ...]:
        """See :func:`~tea_runner.flow.make_plan.missing_outputs`."""
        tree = home_tree(tip, pipeline)
        manifest, missing = self._found.get(tree) or (None, ())
        if manifest is not before:
            old_tree, old = self._complete.get(pipeline.name, ("", before))
            found = _missing_since(tip, before, tree, old_tree, old)
            missing = missing_outputs(tip, pipeline, before) if found is None else found
            self._found.put(tree, (before, missing))
        if not missing:
            self._complete[pipeline.name] = (tree, before)
        return missing

    def evict_unused(self) -> None:
        """Evict what the last plan did not use."""
        self._found.evict(_MAX_ROWS)

    def clear(self) -> None:
        """Release everything."""
        self._complete.clear()
        self._found.clear()


def _missing_since(
    tip: CommitView, before: Manifest, tree: str, old_tree: str, old: Manifest
) -> tuple[str, ...] | None:
    """Datums with missing outputs, by what differs from a tree in which none was missing.

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
    rows = [before.row(label) for label in sorted(labels)]
    theirs = {path for row in (*old_rows, *rows) if row is not None for path in row.paths}
    if len(steps) > _MAX_HOME_CHANGES:
        return None
    if any(new is None and path not in theirs for path, _, new in steps):
        return None
    return datums_without_outputs(tip, tree, [row for row in rows if row is not None])
