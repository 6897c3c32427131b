"""Results of datums, and their JSON form.

A result identifies its outputs by content: an annex key, or a git blob in the same tree as the
result.  It contains nothing volatile, so that equal results have equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.errors import TeaError
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN
from tea_runner.core.results.run_conditions import TRUSTED, RunConditions, parse_conditions

FORMAT = 1


class ResultError(TeaError):
    """A stored result is malformed; it is treated as absent."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file that a datum wrote, at *path* below ``/pfs/out``.

    *kind* ``annex``: *name* is the annex key.  ``git``: *name* is the id of the file's blob.
    ``link``: *name* is the id of the blob with the target of a relative symlink.
    *size* is in bytes.
    """

    path: str
    kind: Literal["annex", "git", "link"]
    name: str
    size: int
    executable: bool = False

    @property
    def mode(self) -> int:
        """Mode of its tree entry."""
        if self.kind != "git":
            return LINK
        return EXECUTABLE if self.executable else PLAIN

    @property
    def content(self) -> str:
        """Its identity in a manifest: the annex key, or kind and id of the blob."""
        if self.kind == "annex":
            return self.name
        return f"{'exec' if self.executable else self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Result:
    """All outputs of one datum, sorted by path, and the exit code of its command."""

    key: str
    outputs: tuple[ResultFile, ...]
    exit: int = 0
    #: Whether ``err_cmd`` recovered it: it has no outputs, and is tried again when its key changes.
    recovered: bool = False
    #: Digest of the attributes with which it was stored (:mod:`.storage_attributes_digest`).
    rule: str = ""
    #: Id of the recompute request that it answers, if any.
    salt: str = ""
    ran: RunConditions = TRUSTED
    #: Annex keys of inputs that outputs have by links to placeholders: they were not looked for.
    linked: tuple[str, ...] = ()


def manifest_output(path: str, content: str, size: int) -> ResultFile:
    """The output that a row of a manifest describes; the inverse of :attr:`ResultFile.content`."""
    kind, colon, oid = content.partition(":")
    if not colon or kind not in ("git", "exec", "link"):
        return ResultFile(path, "annex", content, size)
    if kind == "link":
        return ResultFile(path, "link", oid, size)
    return ResultFile(path, "git", oid, size, kind == "exec")


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
            **({"ran": str(result.ran)} if result.ran != TRUSTED else {}),
            **({"linked": sorted(result.linked)} if result.linked else {}),
        }
        for result in sorted(results, key=lambda result: result.key)
    ]
    document = {"format": FORMAT, "results": rows}
    return json.dumps(document, indent=0, sort_keys=True).encode() + b"\n"


def parse_results(data: bytes) -> tuple[Result, ...]:
    """Parse the output of :func:`format_results`.

    :raises ResultError: when the data is malformed.
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
                ran=_conditions(row.get("ran", "trusted")),
                linked=tuple(map(str, row.get("linked", ()))),
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


def _conditions(text: str) -> RunConditions:
    found = parse_conditions(text)
    if found is None:
        raise ResultError(f"conditions of a run cannot be read: {text[:40]!r}")
    return found
