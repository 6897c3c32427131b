"""Read and write the files of a manifest: ``manifest.tsv``, and pieces in ``manifest.d/``.

The files are tab-separated, with comment lines after ``#``.  Columns: ``datum`` (label), ``key``
(content key), ``place`` (directory of the outputs, relative to the home), ``outputs`` (paths below
that directory, separated by spaces).  Bytes that would break the table are percent-encoded.  The
rows of a large manifest are in ``manifest.d/``, and ``manifest.tsv`` contains the number of pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

from tea_runner.core.errors import TeaError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.results.manifest import EMPTY, Manifest, ManifestPiece, Row, piece_of

#: Name of the manifest below a pipeline's home.
NAME = "manifest.tsv"
#: Directory of the pieces of a large manifest, below the home.
DIRECTORY = "manifest.d"
FORMAT = "tea-runner manifest 1"
#: Format of a manifest in pieces, so that older programs do not take it for an empty one.
FORMAT_PIECES = "tea-runner manifest 2"
_PIECES = "pieces"
#: More pieces than any dataset needs: 30 million rows.
_MOST = 1 << 18
_COLUMNS = "datum\tkey\tplace\toutputs"
_SAFE = "/-_.~+@,=:()[]{}!^&$"
_PLAIN = re.compile(f"[A-Za-z0-9{re.escape(_SAFE)}]*")


class ManifestError(TeaError):
    """A manifest is malformed; it is treated as absent."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Content of ``manifest.tsv``: all rows, or the number of pieces with the rows."""

    pieces: int = 1
    rows: tuple[Row, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    inputs_at: str = ""

    def manifest(self, pieces: Iterable[ManifestPiece] = ()) -> Manifest:
        """The complete manifest.

        :param pieces: the pieces in the order of :func:`piece_names`, if there are several.
        """
        found = tuple(pieces) if self.pieces > 1 else (ManifestPiece(self.rows),)
        return Manifest(pieces=found, parts=self.parts, inputs_at=self.inputs_at)


@lru_cache(maxsize=8)
def piece_names(count: int) -> tuple[str, ...]:
    """Paths of the pieces below :data:`DIRECTORY`, with at most 256 names in a directory."""
    width = -(-(count.bit_length() - 1) // 4)
    texts = (f"{number:0{width}x}" for number in range(count))
    return tuple(f"{text[:2]}/{text[2:]}.tsv" if width > 2 else f"{text}.tsv" for text in texts)


def piece_number(name: str, count: int) -> int | None:
    """Number of the piece at a path below :data:`DIRECTORY`, or None."""
    digits = name.removesuffix(".tsv").replace("/", "")
    number = int(digits, 16) if re.fullmatch("[0-9a-f]{1,5}", digits) else count
    return number if number < count and piece_names(count)[number] == name else None


def edited_files(
    before: Manifest, after: Manifest, existing: Callable[[], Iterable[str]]
) -> dict[str, bytes | None]:
    """Files below the home to write, or to delete (None), to get from *before* to *after*.

    :param existing: returns the paths of the files in :data:`DIRECTORY`, relative to the home.
    """
    files: dict[str, bytes | None] = {NAME: format_head(after)}
    count = len(after.pieces)
    same_count = count == len(before.pieces)
    if not same_count:
        files.update((path, None) for path in existing())
    if count > 1:
        old = before.pieces if same_count else (EMPTY,) * count
        for name, one, two in zip(piece_names(count), old, after.pieces, strict=True):
            if one is not two:
                files[f"{DIRECTORY}/{name}"] = format_rows(two.rows) if two.rows else None
    return files


def format_head(manifest: Manifest) -> bytes:
    """The bytes of ``manifest.tsv``, a function of the manifest only."""
    single = len(manifest.pieces) == 1
    lines = [f"# {FORMAT if single else FORMAT_PIECES}"]
    lines += [f"# {name} {value}" for name, value in sorted(manifest.parts.items())]
    lines.append(f"# inputs-at {manifest.inputs_at}")
    if not single:
        lines.append(f"# {_PIECES} {len(manifest.pieces)}")
    text = "\n".join(lines).encode() + b"\n"
    return text + format_rows(manifest.rows) if single else text


def format_rows(rows: Iterable[Row]) -> bytes:
    """Sorted rows as a table."""
    lines = [_COLUMNS]
    lines += [
        f"{row.datum}\t{row.key}\t{_quote(row.place)}\t{' '.join(map(_quote, row.outputs))}"
        for row in rows
    ]
    return "\n".join(lines).encode() + b"\n"


def parse_head(data: bytes) -> Head:
    """Parse ``manifest.tsv``.

    :raises ManifestError: when it is malformed or of a newer format.
    """
    lines = _lines(NAME, data)
    first = lines[0] if lines else ""
    if first not in (f"# {FORMAT}", f"# {FORMAT_PIECES}"):
        raise ManifestError(f"{NAME} does not begin with '# {FORMAT}'")
    comments = [line[2:].partition(" ") for line in lines[1:] if line.startswith("# ")]
    parts = {name: value for name, _, value in comments}
    inputs_at = parts.pop("inputs-at", "")
    if first == f"# {FORMAT}":
        return Head(rows=_rows(NAME, lines), parts=parts, inputs_at=inputs_at)
    text = parts.pop(_PIECES, "")
    pieces = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    if not 1 < pieces <= _MOST or pieces & (pieces - 1):
        raise ManifestError(f"{NAME} has an invalid number of pieces: {text[:20]!r}")
    return Head(pieces=pieces, parts=parts, inputs_at=inputs_at)


def parse_piece(data: bytes, number: int, count: int) -> ManifestPiece:
    """Parse a piece.

    :raises ManifestError: when it is malformed, or a row belongs to another piece.
    """
    name = f"{DIRECTORY}/{piece_names(count)[number]}"
    rows = _rows(name, _lines(name, data))
    for row in rows:
        if piece_of(row.datum, count) != number:
            raise ManifestError(
                f"{name} contains the row of {row.datum}, which belongs to another piece"
            )
    return ManifestPiece(rows)


def _lines(name: str, data: bytes) -> list[str]:
    try:
        return data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{name} is not plain ASCII text") from error


def _rows(name: str, lines: Iterable[str]) -> tuple[Row, ...]:
    rows = []
    for number, line in enumerate(lines, 1):
        if line.startswith("# ") or line == _COLUMNS:
            continue
        cells = line.split("\t")
        if len(cells) != 4:
            raise ManifestError(f"{name}:{number}: expected 4 columns, got {len(cells)}")
        datum, key, place, outputs = cells
        paths = tuple(map(_unquote, outputs.split(" "))) if outputs else ()
        row = (datum, key, _unquote(place) if place else "", paths)
        rows.append(fast_new(Row, row))
    return tuple(rows)


def _quote(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return quote(text.encode("utf-8", "surrogateescape"), safe=_SAFE)


def _unquote(text: str) -> str:
    return text if "%" not in text else unquote(text, encoding="utf-8", errors="surrogateescape")
