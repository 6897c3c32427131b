"""Settings of logs: the program's own, and those of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tea_runner.settings.option import MEBI, option


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """The program's own log, and the log of each job."""

    format: Literal["text", "json"] = option(
        "text", "Format of the program's own log lines: text, or json with one object per line."
    )
    max_bytes: int = option(
        16 * MEBI,
        "Maximum size of a job's log; the middle of a longer log is dropped.",
        unit="bytes",
        least=4096,
    )
