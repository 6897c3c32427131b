"""The datums of one input and the files that changed there in; the datums now, as few edits, out.

What comes out equals what :func:`~tea_runner.core.datums.enumerate.enumerate_datums` makes of all files; the
work follows the change.  Only for pipelines whose one input stands for itself: in a cross, a join or
a group, one file may be part of any number of datums.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.listing import Listing
from tea_runner.core.pipeline import Pfs, Pipeline

_T = TypeVar("_T")


class DatumEdit(NamedTuple):
    """One step from the datums before to those now; *at* counts after all earlier steps."""

    kind: Literal["set", "insert", "delete"]
    at: int
    datum: Datum


@dataclass(frozen=True, kw_only=True)
class EditedDatums:
    """What became of an input and its datums."""

    listing: Listing
    datums: tuple[Datum, ...]
    edits: tuple[DatumEdit, ...]


def can_edit_datums(pipeline: Pipeline) -> bool:
    """Whether each datum of the pipeline is one path of one input."""
    return isinstance(pipeline.input, Pfs)


def edit_datums(
    pipeline: Pipeline,
    listing: Listing,
    datums: Sequence[Datum],
    *,
    gone: Iterable[str],
    come: Iterable[str],
    changed: Iterable[str],
) -> EditedDatums:
    """The datums after some files of the listing went, came, or have other content."""
    left = listing.edited(removed=gone, added=come)
    now = list(datums)
    edits: list[DatumEdit] = []
    there = _datums(pipeline, [*come, *changed])
    touched = {_order(datum): datum for datum in (*_datums(pipeline, gone), *there)}
    for order, datum in sorted(touched.items()):
        entry = datum.entries[0]
        below = left.files_below(entry.path) if entry.is_dir else left.has(entry.path)
        lives = bool(below) or not entry.path
        index = bisect_left(now, order, key=_order)
        known = index < len(now) and _order(now[index]) == order
        if lives and known:
            edits.append(DatumEdit("set", index, datum))
            now[index] = datum
        elif lives:
            edits.append(DatumEdit("insert", index, datum))
            now.insert(index, datum)
        elif known:
            edits.append(DatumEdit("delete", index, datum))
            del now[index]
    return EditedDatums(listing=left, datums=tuple(now), edits=tuple(edits))


def apply_edits(edits: Iterable[DatumEdit], rows: Sequence[_T], values: Iterable[_T]) -> list[_T]:
    """*rows*, which stand in the order of the datums, after the same steps.

    :param values: one for each edit that is no deletion.
    """
    result = list(rows)
    new = iter(values)
    for kind, index, _ in edits:
        if kind == "set":
            result[index] = next(new)
        elif kind == "insert":
            result.insert(index, next(new))
        else:
            del result[index]
    return result


def _datums(pipeline: Pipeline, files: Iterable[str]) -> tuple[Datum, ...]:
    return enumerate_datums(pipeline, {0: Listing(sorted(files))})


def _order(datum: Datum) -> str:
    """As candidates of a listing are sorted."""
    entry = datum.entries[0]
    return entry.path + "/" if entry.is_dir else entry.path
