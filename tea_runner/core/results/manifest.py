"""Manifest of a pipeline's published results: one row for each datum.

It is the authoritative cache of results and part of the branch.  A large manifest is divided into
pieces by a hash of the datum's label, so that a push that changes few datums writes, sends and reads
few pieces.  :mod:`~tea_runner.core.results.manifest_text` reads and writes its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tea_runner.core.results.run_conditions import RowState

#: Most rows of a manifest in a single file.
MAX_SINGLE_ROWS = 1024
#: Average number of rows of a piece, at most: a piece is then a small blob, which is part of each
#: fetch (:data:`~tea_runner.core.datums.content_identity.SMALL_BLOB`).
PIECE = 128
#: Most rows that are looked up one by one; for more, one mapping of all rows is made.
_FEW = 1000


class Row(NamedTuple):
    """One datum's outputs: paths below *place*, a directory below the pipeline's home.

    Rows of manifests of formats 1 and 2 have only the first four values.
    """

    datum: str
    key: str
    place: str
    outputs: tuple[str, ...]
    #: Identity of each output: an annex key, or ``git:``, ``exec:`` or ``link:`` and a blob's id.
    contents: tuple[str, ...] = ()
    #: Size of each output in bytes.
    sizes: tuple[int, ...] = ()
    state: RowState = "done"
    #: Text of the :class:`~tea_runner.core.results.run_conditions.RunConditions`.
    ran: str = ""
    #: Captures ``$1``, ``$2``, … of the datum's glob, if the pipeline uses them.
    captures: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the outputs relative to the pipeline's home."""
        return tuple(f"{self.place}/{path}" if self.place else path for path in self.outputs)


@dataclass(frozen=True)
class ManifestPiece:
    """One piece of a manifest: rows sorted by datum."""

    rows: tuple[Row, ...] = ()

    @cached_property
    def by_datum(self) -> Mapping[str, Row]:
        """The rows by their datums."""
        return {row.datum: row for row in self.rows}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Paths of the outputs relative to the pipeline's home."""
        return frozenset(path for row in self.rows for path in row.paths)

    @cached_property
    def conditional(self) -> tuple[Row, ...]:
        """The rows that were not computed for a trusted branch, so that they may not count."""
        return tuple(row for row in self.rows if row.ran != "trusted")


EMPTY = ManifestPiece()


def pieces_for(rows: int) -> int:
    """The number of pieces for this number of rows: one, or a power of two."""
    return 1 if rows <= MAX_SINGLE_ROWS else 1 << (-(-rows // PIECE) - 1).bit_length()


def piece_of(datum: str, count: int) -> int:
    """Number of the piece that contains a datum: the first bits of the SHA-256 of its label."""
    if count == 1:
        return 0
    digest = hashlib.sha256(datum.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:4], "big") >> (33 - count.bit_length())


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All rows of a pipeline."""

    pieces: tuple[ManifestPiece, ...] = (EMPTY,)
    #: Shortened digests that all keys share: command, parameters, environment, code.
    parts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row], *, parts: Mapping[str, str] | None = None) -> Manifest:
        """Make a manifest of rows in any order."""
        ordered = sorted(rows, key=_label)
        count = pieces_for(len(ordered))
        cut: list[list[Row]] = [[] for _ in range(count)]
        for row in ordered:
            cut[piece_of(row.datum, count)].append(row)
        pieces = tuple(ManifestPiece(tuple(each)) if each else EMPTY for each in cut)
        return cls(pieces=pieces, parts=parts or {})

    @cached_property
    def count(self) -> int:
        """The number of rows."""
        return sum(len(piece.rows) for piece in self.pieces)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows, sorted by datum."""
        if len(self.pieces) == 1:
            return self.pieces[0].rows
        return tuple(sorted((row for piece in self.pieces for row in piece.rows), key=_label))

    @cached_property
    def by_datum(self) -> Mapping[str, Row]:
        """All rows by their datums."""
        return {row.datum: row for piece in self.pieces for row in piece.rows}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Paths of all outputs relative to the pipeline's home."""
        return frozenset().union(*(piece.paths for piece in self.pieces))

    @cached_property
    def conditional(self) -> tuple[Row, ...]:
        """The rows that were not computed for a trusted branch, so that they may not count."""
        return tuple(row for piece in self.pieces for row in piece.conditional)

    def owned(self, paths: Iterable[str]) -> set[str]:
        """The given paths, relative to the home, that are outputs."""
        wanted = set(paths)
        if len(wanted) > _FEW:
            return wanted & self.paths
        return {path for piece in self.pieces for path in wanted & piece.paths}

    def row(self, datum: str) -> Row | None:
        """The row of a datum, or None; reads only the datum's piece."""
        return self.pieces[piece_of(datum, len(self.pieces))].by_datum.get(datum)

    def finder(self, lookups: int) -> Callable[[str], Row | None]:
        """The fastest function from label to row for this number of lookups."""
        return self.by_datum.get if lookups > _FEW else self.row

    def edited(
        self, added: Iterable[Row], removed: Iterable[str], *, parts: Mapping[str, str]
    ) -> Manifest:
        """The manifest with some rows added or replaced and the rows of some datums removed.

        Equal to :meth:`of` all rows; unchanged pieces are the same objects.
        """
        count = len(self.pieces)
        changes: dict[int, dict[str, Row | None]] = {}
        for datum in removed:
            changes.setdefault(piece_of(datum, count), {})[datum] = None
        for row in added:
            changes.setdefault(piece_of(row.datum, count), {})[row.datum] = row
        pieces = list(self.pieces)
        for number, rows in changes.items():
            merged = {**pieces[number].by_datum, **rows}
            left = tuple(sorted((row for row in merged.values() if row), key=_label))
            if left != pieces[number].rows:
                pieces[number] = ManifestPiece(left) if left else EMPTY
        after = Manifest(pieces=tuple(pieces), parts=parts)
        if pieces_for(after.count) != count:
            return Manifest.of(after.rows, parts=parts)
        return after

    def differing(self, other: Manifest) -> set[str] | None:
        """Labels of datums whose rows differ; None if the pieces are divided differently."""
        if len(self.pieces) != len(other.pieces):
            return None
        return {
            row.datum
            for one, two in zip(self.pieces, other.pieces, strict=True)
            if one is not two
            for row in set(one.rows) ^ set(two.rows)
        }


def _label(row: Row) -> str:
    return row.datum
