"""Files of an input that differ between two commits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypedDict

from tea_runner.core.datums.view import Source
from tea_runner.core.errors import OutsideError, UserError
from tea_runner.core.git.tree import LINK, SUBMODULE, TreeEntry, differences
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import InputLocation, join, nested_datasets
from tea_runner.flow.nested_datasets import NestedDatasets, is_housekeeping, left_out

#: Changed files, and edits since a pipeline was settled, up to which datums are edited.
MAX_EDITS = 1000

_Difference = tuple[str, TreeEntry | None, TreeEntry | None]


class FileChanges(TypedDict):
    """Files of an input that were removed, added or modified."""

    removed: list[str]
    added: list[str]
    modified: list[str]


class _TooMuchError(Exception):
    """The inputs differ in more than can be edited, or in something else than files."""


def file_changes(
    before: InputLocation, after: InputLocation, known: Source
) -> tuple[FileChanges, frozenset[str]] | None:
    """What differs between two locations; None where they are not the same place, or differ in much.

    The cost is that of the change: subdatasets whose pins are the same are not opened.

    :param known: the source of the former location.
    :returns: the files, and the subdatasets below the location now.
    """
    if before.pipeline or before.tip.tree.objects is not after.tip.tree.objects:
        return None
    if replace(before, tree=after.tree) != after:
        return None
    changes = _Changes(known, nested_datasets(after))
    try:
        read = after.tip.tree.objects.tree
        steps = differences(read, before.tree, after.tree)
        changes.follow(steps, before.tip, after.tip, before.prefix, before.skip, "")
    except (OutsideError, UserError, _TooMuchError):
        # The former commit was pushed away, and its objects are deleted; or a subdataset cannot be
        # read, which the listing of all files will say.
        return None
    return changes.files, frozenset(changes.inner)


@dataclass
class _Changes:
    """Collects the files that differ, in one dataset after another."""

    known: Source
    nested: NestedDatasets
    files: FileChanges = field(
        default_factory=lambda: FileChanges(removed=[], added=[], modified=[])
    )
    inner: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.inner = set(self.known.inner)

    def follow(
        self,
        steps: Iterator[_Difference],
        before: CommitReader,
        after: CommitReader,
        prefix: str,
        skip: tuple[str, ...],
        at: str,
    ) -> None:
        """Add what differs between two trees of one dataset.

        :param prefix: path of the trees in the dataset.
        :param skip: prefixes of paths below it that are left out.
        :param at: where the trees are below the location.
        """
        found = list(islice(steps, MAX_EDITS + 1))
        for path, old, new in found:
            if path.startswith(skip):
                continue
            where = join(at, path)
            was, exists = (each is not None and each.mode == SUBMODULE for each in (old, new))
            if was or exists:
                self._subdataset(before, after, join(prefix, path), where, (was, exists))
            old, new = (None if was else old), (None if exists else new)
            if where in self.known.links.folders or (
                new
                and new.mode == LINK
                and self.nested.opens(where)
                and after.files.target(new) is not None
            ):
                # A link to a folder went, or may have come.
                raise _TooMuchError
            if not is_housekeeping(where):
                self._file(where, bool(old), bool(new))
        changed = sum(len(self.files[kind]) for kind in ("removed", "added", "modified"))
        if len(found) > MAX_EDITS or changed > MAX_EDITS:
            raise _TooMuchError

    def _file(self, path: str, was: bool, exists: bool) -> None:
        if was and exists:
            self.files["modified"].append(path)
        elif was or exists:
            self.files["removed" if was else "added"].append(path)

    def _subdataset(
        self,
        before: CommitReader,
        after: CommitReader,
        path: str,
        at: str,
        there: tuple[bool, bool],
    ) -> None:
        """Add what differs in a subdataset that appeared, went, or has another pin.

        :param path: of the subdataset in its dataset.
        :param at: where it is below the location.
        :param there: whether it was there, and is there now.
        """
        was, exists = there[0] and at in self.inner, there[1] and self.nested.reaches(at)
        if was and exists:
            old, new = before.resolve(path)[0], after.resolve(path)[0]
            skip = left_out(new, "")
            same = old.tree.objects is new.tree.objects and skip == left_out(old, "")
            if not same or old.files.algorithm != new.files.algorithm:
                raise _TooMuchError
            steps = differences(new.tree.objects.tree, old.tree.root, new.tree.root)
            self.follow(steps, old, new, "", skip, at)
        elif was:
            self.files["removed"] += self.known.listing.files_below(at)
            self.inner -= {each for each in self.inner if f"{each}/".startswith(f"{at}/")}
        elif exists:
            self.nested.add(after, path, at)
            self.nested.require_all("")
            self.files["added"] += self.nested.found.files
            self.inner |= set(self.nested.found.inner)
            self.nested.found.files.clear()
            self.nested.found.inner.clear()
