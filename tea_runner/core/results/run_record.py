"""DataLad run records in commit messages: write and parse.

The format is that of datalad ``core/local/run.py``; the released ``datalad rerun`` reads it from any
commit whose message begins with it.  Tea-runner's trailers follow the block.  The message does not
depend on the clock or the host.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_BEGIN = "=== Do not change lines below ==="
_END = "^^^ Do not change lines above ^^^"
_RECORD = re.compile(
    rf"\[DATALAD RUNCMD\] (?P<title>.*?)\n\n{re.escape(_BEGIN)}\n(?P<json>.*?)\n{re.escape(_END)}",
    re.DOTALL,
)
_MAGIC = re.compile(r"([*?[])")
_TRAILER = re.compile(r"^(Tea-[A-Za-z-]+): (.*)$", re.MULTILINE)
_CAUSE = re.compile(r"^Tea-Cause: ([0-9a-f]{40}|[0-9a-f]{64})$", re.MULTILINE)
#: Trailer that names a pushed commit of another repository which led to a results commit.
CAUSE = "Tea-Cause"
#: Causes that a results commit names.
MOST_CAUSES = 16

#: Most tree entries that a chain of record commits may write in all, which limits its cost.
CHAIN_ENTRIES = 250_000


@dataclass(frozen=True, kw_only=True)
class Record:
    """The run record of one group of datums, which ``datalad rerun`` can repeat in a fresh clone.

    Paths are relative to the dataset.  *command* is shell text.
    """

    title: str
    command: str
    inputs: tuple[str, ...]
    extra_inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    exit: int = 0
    dataset_id: str = ""
    trailers: tuple[tuple[str, str], ...] = ()
    #: Files that the command reads by their git blobs: path in the dataset, and content.
    attached: tuple[tuple[str, bytes], ...] = ()


class RecordedCommand(NamedTuple):
    """Shell text of a record, and files that it reads by their git blobs."""

    text: str
    attached: tuple[tuple[str, bytes], ...] = ()


def escape(command: str) -> str:
    """Double the braces of a command, because ``datalad rerun`` formats it."""
    return command.replace("{", "{{").replace("}", "}}")


def escape_path(path: str) -> str:
    """Escape a path, because ``datalad rerun`` formats it and expands it as a glob."""
    return escape(_MAGIC.sub(r"[\1]", path))


def format_record(record: Record) -> str:
    """The commit message."""
    document: dict[str, object] = {
        "chain": [],
        "cmd": record.command,
        "exit": record.exit,
        "extra_inputs": sorted(map(escape_path, record.extra_inputs)),
        "inputs": sorted(map(escape_path, record.inputs)),
        "outputs": sorted(map(escape_path, record.outputs)),
        "pwd": ".",
    }
    if record.dataset_id:
        document["dsid"] = record.dataset_id
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    title = " ".join(record.title.split())
    return f"[DATALAD RUNCMD] {title}\n\n{_BEGIN}\n{text}\n{_END}\n{_trailers(record.trailers)}"


def format_summary(title: str, body: str, trailers: Sequence[tuple[str, str]]) -> str:
    """The message of a commit without a run record."""
    return (
        f"{title}\n\n{body}\n{_trailers(trailers)}" if body else f"{title}\n{_trailers(trailers)}"
    )


def _trailers(trailers: Sequence[tuple[str, str]]) -> str:
    return "\n" + "".join(f"{name}: {value}\n" for name, value in trailers) if trailers else ""


def parse_trailers(message: str) -> dict[str, str]:
    """The ``Tea-…`` trailers of a commit message by name; the last one counts."""
    return dict(_TRAILER.findall(message))


def parse_causes(message: str) -> tuple[str, ...]:
    """The commits that a results commit names as its causes, sorted; at most :data:`MOST_CAUSES`."""
    return tuple(sorted(set(_CAUSE.findall(message)))[:MOST_CAUSES])


def parse_record(message: str) -> Mapping[str, object] | None:
    """The run record in a commit message, or None."""
    match = _RECORD.match(message)
    if match is None:
        return None
    try:
        document = json.loads(match["json"])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def group_size(datums: int) -> int:
    """The number of datums that share a record, as a function of the number of datums.

    One up to 500 datums; above, large enough that the chain's trees have at most
    :data:`CHAIN_ENTRIES` entries.
    """
    groups = max(1, min(datums, CHAIN_ENTRIES // max(1, datums)))
    return max(1, -(-datums // groups))


def exec_command(
    spec_blob: str,
    document: int,
    pipeline: str,
    datums: Sequence[str],
    image: str = "",
    variables: Sequence[tuple[str, str]] = (),
) -> str:
    """Shell text that repeats datums of a pinned pipeline file in a clone.

    :param image: by its digest, if the pipeline file names it without.
    :param variables: values that somebody has set.
    """
    words = ["tea-runner", "exec", "--spec", f"{spec_blob}:{document}", "--pipeline", pipeline]
    words += ["--image", image] if image else []
    words += [word for name, value in variables for word in ("--var", f"{name}={value}")]
    return escape(shlex.join([*words, "--", *datums]))
