"""Files of an input that differ between two commits."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TypedDict

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.tree import differences
from tea_runner.flow.input_location import InputLocation, is_data

#: Changed files, and edits since a pipeline was settled, up to which datums are edited.
MAX_EDITS = 1000


class FileChanges(TypedDict):
    """Files of an input that were removed, added or modified."""

    removed: list[str]
    added: list[str]
    modified: list[str]


def file_changes(before: InputLocation, after: InputLocation) -> FileChanges | None:
    """What differs between two locations; None where they are not the same place, or differ in much."""
    read = after.tip.tree.objects.tree
    if before.pipeline or before.tip.tree.objects is not after.tip.tree.objects:
        return None
    if replace(before, tree=after.tree) != after:
        return None
    try:
        different = list(islice(differences(read, before.tree, after.tree), MAX_EDITS + 1))
    except OutsideError:  # the former commit was pushed away, and its objects are deleted
        return None
    if len(different) > MAX_EDITS:
        return None
    changes = FileChanges(removed=[], added=[], modified=[])
    for path, old, new in different:
        was, exists = is_data(before, path, old), is_data(after, path, new)
        if was and exists:
            changes["modified"].append(path)
        elif was or exists:
            changes["removed" if was else "added"].append(path)
    return changes
