"""What a settled pipeline leaves in its home: one row per datum.

It is the cache of record, and travels with the branch.  A manifest of many rows is made of pieces, and
which piece holds a datum is a function of the datum's label, so that a push that changes few datums
writes, sends and reads few pieces.  :mod:`~tea_runner.core.results.manifest_text` makes files of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

#: Rows up to which a manifest is one piece, in one file that a person can read.
WHOLE = 1024
#: Rows of a piece of a larger one, on average at most.  It is a small blob then, which comes with a
#: fetch (:data:`~tea_runner.core.datums.content_identity.SMALL_BLOB`).
PIECE = 128
#: Name of the remark that lists keys whose results were computed again, with other bytes.
RECOMPUTED = "recomputed"
#: Rows that are looked up one by one; for more, all are put together.
_FEW = 1000


class Row(NamedTuple):
    """One datum's outputs: paths below *place*, which lies below the pipeline's home."""

    datum: str
    key: str
    place: str
    outputs: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the outputs relative to the pipeline's home."""
        return tuple(f"{self.place}/{path}" if self.place else path for path in self.outputs)


@dataclass(frozen=True)
class ManifestPiece:
    """Some rows of a manifest, sorted by datum."""

    rows: tuple[Row, ...] = ()

    @cached_property
    def by_datum(self) -> Mapping[str, Row]:
        """The rows by their datums."""
        return {row.datum: row for row in self.rows}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Paths of the outputs relative to the pipeline's home."""
        return frozenset(path for row in self.rows for path in row.paths)


EMPTY = ManifestPiece()


def pieces_for(rows: int) -> int:
    """How many pieces a manifest of so many rows has: one, or a power of two."""
    return 1 if rows <= WHOLE else 1 << (-(-rows // PIECE) - 1).bit_length()


def piece_of(datum: str, count: int) -> int:
    """Which of *count* pieces holds a datum: the first bits of the SHA-256 of its label."""
    if count == 1:
        return 0
    digest = hashlib.sha256(datum.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:4], "big") >> (33 - count.bit_length())


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All rows of a pipeline, and what they were computed from."""

    pieces: tuple[ManifestPiece, ...] = (EMPTY,)
    #: Shortened digests of what all keys share: command, parameters, environment, code.
    parts: Mapping[str, str] = field(default_factory=dict)
    #: The commit whose inputs the rows describe.
    inputs_at: str = ""

    @classmethod
    def of(
        cls, rows: Iterable[Row], *, parts: Mapping[str, str] | None = None, inputs_at: str = ""
    ) -> Manifest:
        """The manifest of these rows, in any order."""
        ordered = sorted(rows, key=_datum)
        count = pieces_for(len(ordered))
        cut: list[list[Row]] = [[] for _ in range(count)]
        for row in ordered:
            cut[piece_of(row.datum, count)].append(row)
        pieces = tuple(ManifestPiece(tuple(each)) if each else EMPTY for each in cut)
        return cls(pieces=pieces, parts=parts or {}, inputs_at=inputs_at)

    @cached_property
    def count(self) -> int:
        """How many rows there are."""
        return sum(len(piece.rows) for piece in self.pieces)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows, sorted by datum."""
        if len(self.pieces) == 1:
            return self.pieces[0].rows
        return tuple(sorted((row for piece in self.pieces for row in piece.rows), key=_datum))

    @cached_property
    def by_datum(self) -> Mapping[str, Row]:
        """All rows by their datums."""
        return {row.datum: row for piece in self.pieces for row in piece.rows}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Paths of all outputs relative to the pipeline's home."""
        return frozenset().union(*(piece.paths for piece in self.pieces))

    def owned(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths, relative to the home, that are outputs."""
        asked = set(paths)
        if len(asked) > _FEW:
            return asked & self.paths
        return {path for piece in self.pieces for path in asked & piece.paths}

    def row(self, datum: str) -> Row | None:
        """The row of a datum; the first time, only its own piece is looked through."""
        return self.pieces[piece_of(datum, len(self.pieces))].by_datum.get(datum)

    def finder(self, asked: int) -> Callable[[str], Row | None]:
        """What finds the rows of so many datums quickly."""
        return self.by_datum.get if asked > _FEW else self.row

    def edited(
        self, come: Iterable[Row], gone: Iterable[str], *, parts: Mapping[str, str], inputs_at: str
    ) -> Manifest:
        """The manifest after some rows came or are others, and those of some datums went.

        It equals what :meth:`of` makes of all rows; the pieces that nothing changes are the same.
        """
        count = len(self.pieces)
        changes: dict[int, dict[str, Row | None]] = {}
        for datum in gone:
            changes.setdefault(piece_of(datum, count), {})[datum] = None
        for row in come:
            changes.setdefault(piece_of(row.datum, count), {})[row.datum] = row
        pieces = list(self.pieces)
        for number, rows in changes.items():
            merged = {**pieces[number].by_datum, **rows}
            left = tuple(sorted((row for row in merged.values() if row), key=_datum))
            if left != pieces[number].rows:
                pieces[number] = ManifestPiece(left) if left else EMPTY
        after = Manifest(pieces=tuple(pieces), parts=parts, inputs_at=inputs_at)
        if pieces_for(after.count) != count:
            return Manifest.of(after.rows, parts=parts, inputs_at=inputs_at)
        return after

    def differing(self, other: Manifest) -> set[str] | None:
        """Datums whose rows differ, by the pieces that differ; None where that would be all of them."""
        if len(self.pieces) != len(other.pieces):
            return None
        return {
            row.datum
            for one, two in zip(self.pieces, other.pieces, strict=True)
            if one is not two
            for row in set(one.rows) ^ set(two.rows)
        }


def _datum(row: Row) -> str:
    return row.datum
