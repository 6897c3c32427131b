"""Read and write the files of a manifest: ``manifest.tsv``, and pieces in ``manifest.d/``.

The files are tab-separated, with comment lines after ``#``.  Columns: ``datum`` (label), ``key``
(content key), ``place`` (directory of the outputs, relative to the home), ``outputs`` (paths below
that directory), ``contents`` and ``sizes`` (of each output), ``state``, ``ran`` (conditions of the
run), ``captures``; the values of a list are separated by spaces.  Bytes that would break the table
are percent-encoded.  The rows of a large manifest are in ``manifest.d/``, and ``manifest.tsv``
contains the number of pieces.

The text is a function of the rows and of what their keys share, so that branches which change
different datums can be merged.  Formats 1 and 2 have the first four columns only; they are read, not
written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from sys import intern
from urllib.parse import quote, unquote

from tea_runner.core.errors import TeaError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.results.manifest import EMPTY, Manifest, ManifestPiece, Row, piece_of
from tea_runner.core.results.run_conditions import TRUSTED, parse_conditions

#: Name of the manifest below a pipeline's home.
NAME = "manifest.tsv"
#: Directory of the pieces of a large manifest, below the home.
DIRECTORY = "manifest.d"
FORMAT = "tea-runner manifest 3"
#: Formats without identities of the outputs: in one file, and in pieces.
_OLD, _OLD_PIECES = "tea-runner manifest 1", "tea-runner manifest 2"
_PIECES = "pieces"
#: More pieces than any dataset needs: 30 million rows.
_MOST = 1 << 18
_COLUMNS = "datum\tkey\tplace\toutputs\tcontents\tsizes\tstate\tran\tcaptures"
_OLD_COLUMNS = "datum\tkey\tplace\toutputs"
#: A path that is empty, or has a component that is empty, ``.`` or ``..``.
_LEAVES = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
_TRUSTED = str(TRUSTED)
#: Nearly all rows: at most one output, without a place, captures or quoted characters.
_USUAL_ROW = re.compile(
    r"([^\t#][^\t]*)\t([^\t]+)\t\t"
    r"(?:([^\t %/.][^\t %/]*(?:/[^\t %/.][^\t %/]*)*)\t([^\t %]+)\t([0-9]{1,15})|\t\t)"
    rf"\tdone\t{_TRUSTED}\t"
)
_SAFE = "/-_.~+@,=:()[]{}!^&$"
#: An empty value in a list of which values may be empty; no path contains that byte.
_EMPTY = "%00"
_PLAIN = re.compile(f"[A-Za-z0-9{re.escape(_SAFE)}]*")


class ManifestError(TeaError):
    """A manifest is malformed; it is treated as absent."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Content of ``manifest.tsv``: all rows, or the number of pieces with the rows."""

    pieces: int = 1
    rows: tuple[Row, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    #: Keys of recomputed results, in the old formats; now the signed statement has them.
    recomputed: tuple[str, ...] = ()

    def manifest(self, pieces: Iterable[ManifestPiece] = ()) -> Manifest:
        """The complete manifest.

        :param pieces: the pieces in the order of :func:`piece_names`, if there are several.
        """
        found = tuple(pieces) if self.pieces > 1 else (ManifestPiece(self.rows),)
        return Manifest(pieces=found, parts=self.parts)


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
    lines = [f"# {FORMAT}"]
    lines += [f"# {name} {value}" for name, value in sorted(manifest.parts.items())]
    if not single:
        lines.append(f"# {_PIECES} {len(manifest.pieces)}")
    text = "\n".join(lines).encode() + b"\n"
    return text + format_rows(manifest.rows) if single else text


def format_rows(rows: Iterable[Row]) -> bytes:
    """Sorted rows as a table."""
    lines = [_COLUMNS]
    lines += [
        f"{row.datum}\t{row.key}\t{_quote(row.place)}\t{' '.join(map(_quote, row.outputs))}\t"
        f"{' '.join(map(_quote, row.contents))}\t{' '.join(map(str, row.sizes))}\t{row.state}\t"
        f"{row.ran}\t{' '.join(_quote(text) or _EMPTY for text in row.captures)}"
        for row in rows
    ]
    return "\n".join(lines).encode() + b"\n"


def parse_head(data: bytes) -> Head:
    """Parse ``manifest.tsv``.

    :raises ManifestError: when it is malformed or of a newer format.
    """
    lines = _lines(NAME, data)
    first = lines[0].removeprefix("# ") if lines else ""
    if first not in (FORMAT, _OLD, _OLD_PIECES):
        raise ManifestError(f"{NAME} does not begin with '# {FORMAT}'")
    comments = [line[2:].partition(" ") for line in lines[1:] if line.startswith("# ")]
    parts = {name: value for name, _, value in comments}
    text = parts.pop(_PIECES, None)
    recomputed: tuple[str, ...] = ()
    if first != FORMAT:
        parts.pop("inputs-at", None)
        recomputed = tuple(parts.pop("recomputed", "").split())
    if text is None and first != _OLD_PIECES:
        return Head(rows=_rows(NAME, lines), parts=parts, recomputed=recomputed)
    text = text or ""
    pieces = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    if not 1 < pieces <= _MOST or pieces & (pieces - 1):
        raise ManifestError(f"{NAME} has an invalid number of pieces: {text[:20]!r}")
    return Head(pieces=pieces, parts=parts, recomputed=recomputed)


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
    usual = _USUAL_ROW.fullmatch
    for number, line in enumerate(lines, 1):
        if found := usual(line):
            datum, key, path, content, size = found.groups()
            output = ((path,), (content,), (int(size),)) if path else ((), (), ())
            rows.append(fast_new(Row, (datum, key, "", *output, "done", _TRUSTED, ())))
            continue
        if line.startswith("# ") or line in (_COLUMNS, _OLD_COLUMNS):
            continue
        cells = line.split("\t")
        if len(cells) not in (4, 9):
            raise ManifestError(f"{name}:{number}: expected 9 columns, got {len(cells)}")
        datum, key, place = cells[0], cells[1], _unquote(cells[2])
        paths = _list(cells[3])
        if (place and _LEAVES.search(place)) or any(map(_LEAVES.search, paths)):
            raise ManifestError(f"{name}:{number}: a path leaves the directory of the outputs")
        more = _more(f"{name}:{number}", cells, len(paths)) if len(cells) == 9 else _NOTHING
        rows.append(fast_new(Row, (datum, key, place, paths, *more)))
    # Of several rows of a datum, as a merge of lines makes them, the last counts.
    labels = dict(zip(map(itemgetter(0), rows), rows, strict=True))
    return tuple(rows if len(labels) == len(rows) else labels.values())


#: What a row of an old format has beside its first four columns.
_NOTHING = ((), (), "done", "", ())


def _more(at: str, cells: Sequence[str], outputs: int) -> tuple[object, ...]:
    """The last five values of a row."""
    contents, ran, state = _list(cells[4]), cells[7], cells[6]
    try:
        sizes = tuple(map(int, cells[5].split(" "))) if cells[5] else ()
    except ValueError as error:
        raise ManifestError(f"{at}: invalid sizes {cells[5][:20]!r}") from error
    if contents and (len(contents) != outputs or len(sizes) != outputs):
        raise ManifestError(f"{at}: {outputs} outputs, but {len(contents)} contents")
    if ran not in ("", _TRUSTED) and parse_conditions(ran) is None:
        raise ManifestError(f"{at}: invalid conditions {ran[:20]!r}")
    if state not in ("done", "recovered"):
        raise ManifestError(f"{at}: invalid state {state[:20]!r}")
    captures = tuple(map(_unquote, cells[8].replace(_EMPTY, "").split(" "))) if cells[8] else ()
    return contents, sizes, intern(state), intern(ran), captures


def _list(cell: str) -> tuple[str, ...]:
    return tuple(map(_unquote, cell.split(" "))) if cell else ()


def _quote(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return quote(text.encode("utf-8", "surrogateescape"), safe=_SAFE)


def _unquote(text: str) -> str:
    return text if "%" not in text else unquote(text, encoding="utf-8", errors="surrogateescape")
