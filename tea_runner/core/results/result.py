"""What one finished datum leaves, to JSON and back.

A result names its outputs by content: an annex key, or a git blob that stands beside the result in
the same tree.  Nothing volatile is in it, so that the same work gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.errors import TeaError
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN

FORMAT = 1


class ResultError(TeaError):
    """A stored result cannot be read; it counts as absent."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file that a datum wrote, at *path* below ``/pfs/out``.

    *kind* ``annex``: *name* is the annex key.  ``git``: *name* is the id of the blob that holds the
    file.  ``link``: *name* is the id of the blob that holds the target of a relative symlink.
    *size* is in bytes.
    """

    path: str
    kind: Literal["annex", "git", "link"]
    name: str
    size: int
    executable: bool = False

    @property
    def mode(self) -> int:
        """The tree-entry mode with which it is committed."""
        if self.kind != "git":
            return LINK
        return EXECUTABLE if self.executable else PLAIN


@dataclass(frozen=True, slots=True)
class Result:
    """All outputs of one datum, sorted by path, and the code its command ended with."""

    key: str
    outputs: tuple[ResultFile, ...]
    exit: int = 0
    #: Recovered by ``err_cmd``: no outputs; tried again when its key changes.
    recovered: bool = False
    #: How the attributes of the place where it was saved judged its outputs (core/results/storage_rules.py).
    rule: str = ""
    #: Of a result that somebody asked for although it was known: which wish it answers.
    salt: str = ""


def format_results(results: Iterable[Result]) -> bytes:
    """Canonical JSON: sorted by key, no volatile field."""
    rows = [
        {
            "key": result.key,
            "exit": result.exit,
            "recovered": result.recovered,
            "outputs": [
                [output.path, output.kind, output.name, output.size, output.executable]
                for output in sorted(result.outputs, key=lambda output: output.path)
            ],
            **({"rule": result.rule} if result.rule else {}),
            **({"salt": result.salt} if result.salt else {}),
        }
        for result in sorted(results, key=lambda result: result.key)
    ]
    document = {"format": FORMAT, "results": rows}
    return json.dumps(document, indent=0, sort_keys=True).encode() + b"\n"


def parse_results(data: bytes) -> tuple[Result, ...]:
    """The results that :func:`format_results` wrote.

    :raises ResultError: for anything else.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ResultError(f"result format {document['format']} is not {FORMAT}")
        return tuple(
            Result(
                key=str(row["key"]),
                exit=int(row["exit"]),
                recovered=bool(row["recovered"]),
                rule=str(row.get("rule", "")),
                salt=str(row.get("salt", "")),
                outputs=tuple(
                    ResultFile(str(path), kind, str(name), int(size), bool(executable))
                    for path, kind, name, size, executable in row["outputs"]
                    if kind in ("annex", "git", "link")
                ),
            )
            for row in document["results"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultError(f"result cannot be read: {error}") from error
