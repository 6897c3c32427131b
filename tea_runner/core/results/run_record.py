"""A group of finished datums in, the message of their record commit out, and back.

The form is DataLad's run record (datalad ``core/local/run.py``), which stock ``datalad rerun`` reads
from any commit whose message begins with it.  Trailers of ours stand after the block.  Nothing in it
depends on the clock or the host.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BEGIN = "=== Do not change lines below ==="
_END = "^^^ Do not change lines above ^^^"
_RECORD = re.compile(
    rf"\[DATALAD RUNCMD\] (?P<title>.*?)\n\n{re.escape(_BEGIN)}\n(?P<json>.*?)\n{re.escape(_END)}",
    re.DOTALL,
)
_MAGIC = re.compile(r"([*?[])")
_TRAILER = re.compile(r"^(Tea-[A-Za-z-]+): (.*)$", re.MULTILINE)

#: Most entries of all trees that a chain of record commits may write, which bounds its cost.
CHAIN_ENTRIES = 250_000


@dataclass(frozen=True, kw_only=True)
class Record:
    """What re-executes exactly one group of datums in a fresh clone.

    Paths are relative to the dataset.  *command* is the text that a shell is given.
    """

    title: str
    command: str
    inputs: tuple[str, ...]
    extra_inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    exit: int = 0
    dataset_id: str = ""
    trailers: tuple[tuple[str, str], ...] = ()


def escape(command: str) -> str:
    """The command as ``datalad rerun`` wants it: it formats braces, so literal ones are doubled."""
    return command.replace("{", "{{").replace("}", "}}")


def escape_path(path: str) -> str:
    """The path as ``datalad rerun`` wants it: it formats braces, and takes the rest for a glob."""
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
    """The message of a commit that carries no record of its own."""
    return (
        f"{title}\n\n{body}\n{_trailers(trailers)}" if body else f"{title}\n{_trailers(trailers)}"
    )


def _trailers(trailers: Sequence[tuple[str, str]]) -> str:
    return "\n" + "".join(f"{name}: {value}\n" for name, value in trailers) if trailers else ""


def parse_trailers(message: str) -> dict[str, str]:
    """Our trailers of a commit message, by name; the last of a name counts."""
    return dict(_TRAILER.findall(message))


def parse_record(message: str) -> Mapping[str, object] | None:
    """The run record in a commit message, or None when it has none."""
    match = _RECORD.match(message)
    if match is None:
        return None
    try:
        document = json.loads(match["json"])
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def group_size(datums: int) -> int:
    """How many datums share a record, a pure function of how many there are.

    One up to 500 (and for none at all); above, so many that the chain's trees stay below
    :data:`CHAIN_ENTRIES` entries.
    """
    groups = max(1, min(datums, CHAIN_ENTRIES // max(1, datums)))
    return max(1, -(-datums // groups))


def exec_command(spec_blob: str, document: int, pipeline: str, datums: Sequence[str]) -> str:
    """The shell text that runs datums of a pinned pipeline file again in a clone."""
    words = ["tea-runner", "exec", "--spec", f"{spec_blob}:{document}", "--pipeline", pipeline]
    return escape(shlex.join([*words, "--", *datums]))
