"""What a settled pipeline leaves in its home, to text and back: one row per datum.

The manifest is the cache of record: it travels with the branch, and tables can read it (tab-separated,
``#`` before remarks).  Columns: ``datum`` (who it is), ``key`` (what decides whether it is known),
``place`` (directory of its outputs, relative to the home), ``outputs`` (their paths below the place,
separated by spaces).  Bytes that would break a table are percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, unquote

from tea_runner.core.errors import TeaError

#: Name of the manifest below a pipeline's home.
NAME = "manifest.tsv"
FORMAT = "tea-runner manifest 1"
#: Name of the remark that lists keys whose results were computed again, with other bytes.
RECOMPUTED = "recomputed"
_COLUMNS = "datum\tkey\tplace\toutputs"
_SAFE = "/-_.~+@,=:()[]{}!^&$"
_PLAIN = re.compile(f"[A-Za-z0-9{re.escape(_SAFE)}]*")


class ManifestError(TeaError):
    """A manifest cannot be read; it counts as absent."""


@dataclass(frozen=True, slots=True)
class Row:
    """One datum's outputs: paths below *place*, which lies below the pipeline's home."""

    datum: str
    key: str
    place: str
    outputs: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the outputs relative to the pipeline's home."""
        return tuple(f"{self.place}/{path}" if self.place else path for path in self.outputs)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All rows of a pipeline, sorted by datum, and what they were computed from."""

    rows: tuple[Row, ...] = ()
    #: Shortened digests of what all keys share: command, parameters, environment, code.
    parts: Mapping[str, str] = field(default_factory=dict)
    #: The commit whose inputs the rows describe.
    inputs_at: str = ""

    @cached_property
    def paths(self) -> frozenset[str]:
        """Paths of all outputs relative to the pipeline's home."""
        return frozenset(path for row in self.rows for path in row.paths)

    @cached_property
    def by_datum(self) -> Mapping[str, Row]:
        """The rows by their datums."""
        return {row.datum: row for row in self.rows}


def _quote(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return quote(text.encode("utf-8", "surrogateescape"), safe=_SAFE)


def _unquote(text: str) -> str:
    return text if "%" not in text else unquote(text, encoding="utf-8", errors="surrogateescape")


def format_manifest(manifest: Manifest) -> bytes:
    """The manifest as text; equal manifests give equal bytes."""
    lines = [f"# {FORMAT}"]
    lines += [f"# {name} {value}" for name, value in sorted(manifest.parts.items())]
    lines.append(f"# inputs-at {manifest.inputs_at}")
    lines.append(_COLUMNS)
    lines += [
        f"{row.datum}\t{row.key}\t{_quote(row.place)}\t{' '.join(map(_quote, row.outputs))}"
        for row in sorted(manifest.rows, key=lambda row: row.datum)
    ]
    return "\n".join(lines).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """The manifest that a text stands for.

    :raises ManifestError: when it is not one of ours, or of a newer format.
    """
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise ManifestError("manifest.tsv is not plain ASCII text") from None
    if not lines or lines[0] != f"# {FORMAT}":
        raise ManifestError(f"manifest.tsv does not begin with '# {FORMAT}'")
    parts: dict[str, str] = {}
    inputs_at = ""
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if line.startswith("# "):
            name, _, value = line[2:].partition(" ")
            if name == "inputs-at":
                inputs_at = value
            else:
                parts[name] = value
        elif line != _COLUMNS:
            cells = line.split("\t")
            if len(cells) != 4:
                raise ManifestError(f"manifest.tsv:{number}: expected 4 columns, got {len(cells)}")
            datum, key, place, outputs = cells
            paths = tuple(map(_unquote, outputs.split(" "))) if outputs else ()
            rows.append(Row(datum, key, _unquote(place), paths))
    return Manifest(rows=tuple(rows), parts=parts, inputs_at=inputs_at)
