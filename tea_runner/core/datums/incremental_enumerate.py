"""Edits of a pipeline's datums after some files of its only input have changed.

The result equals that of :func:`~tea_runner.core.datums.enumerate.enumerate_datums` for all files; the
cost is that of the change.  It applies to pipelines with a single ``pfs`` input: in a cross, join or
group, one file can be part of any number of datums.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.pipeline import Pfs, Pipeline

_T = TypeVar("_T")


class DatumEdit(NamedTuple):
    """One edit of a list of datums; the position *at* is counted after all earlier edits."""

    kind: Literal["set", "insert", "delete"]
    at: int
    datum: Datum


@dataclass(frozen=True, kw_only=True)
class EditedDatums:
    """The listing of an input and its datums after some files changed."""

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
    removed: Iterable[str],
    added: Iterable[str],
    modified: Iterable[str],
) -> EditedDatums:
    """Edit the datums of a listing after some of its files were removed, added or modified."""
    files = listing.edited(removed=removed, added=added)
    now = list(datums)
    edits: list[DatumEdit] = []
    present = _datums(pipeline, [*added, *modified])
    touched = {datum_order(datum): datum for datum in (*_datums(pipeline, removed), *present)}
    for order, datum in sorted(touched.items()):
        entry = datum.entries[0]
        below = files.files_below(entry.path) if entry.is_dir else files.has(entry.path)
        exists = bool(below)
        index = bisect_left(now, order, key=datum_order)
        known = index < len(now) and datum_order(now[index]) == order
        if exists and known:
            edits.append(DatumEdit("set", index, datum))
            now[index] = datum
        elif exists:
            edits.append(DatumEdit("insert", index, datum))
            now.insert(index, datum)
        elif known:
            edits.append(DatumEdit("delete", index, datum))
            del now[index]
    return EditedDatums(listing=files, datums=tuple(now), edits=tuple(edits))


def apply_edits(edits: Iterable[DatumEdit], rows: Sequence[_T], values: Iterable[_T]) -> list[_T]:
    """*rows*, which are in the order of the datums, after the same edits.

    :param values: one for each edit that is not a deletion, in their order.
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


def datum_order(datum: Datum) -> str:
    """The sort key of a datum among those of a single input: byte order of paths, as in a git tree."""
    entry = datum.entries[0]
    return entry.path + "/" if entry.is_dir else entry.path
