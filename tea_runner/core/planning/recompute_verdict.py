"""Verdicts on recomputed datums, and a ledger of which pipelines give the same bytes.

For each pipeline the ledger counts comparisons with the same bytes and with other bytes, and keeps
the last verdict of each datum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

FORMAT = 1
#: Datums of one pipeline that the ledger keeps; the counts are of all.
_NAMED = 1000

Outcome = Literal["ok", "differs", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecomputeVerdict:
    """The outcome of computing one datum again although its result was known."""

    pipeline: str
    datum: str
    key: str
    outcome: Outcome
    #: Paths in the dataset whose bytes differ; or why nothing was compared.
    detail: str = ""
    by: Literal["recompute", "reproduce"] = "reproduce"

    def __str__(self) -> str:
        rest = f": {self.detail}" if self.detail else ""
        return f"{self.by}({self.outcome}): {self.pipeline} {self.datum}{rest}"


def first_few(texts: Iterable[str]) -> str:
    """The first three texts, and the number of the others."""
    found = list(texts)
    shown = ", ".join(found[:3])
    return shown if len(found) <= 3 else f"{shown} and {len(found) - 3} more"


def add_verdict(ledger: Mapping[str, Any], verdicts: Iterable[RecomputeVerdict]) -> dict[str, Any]:
    """The ledger with these verdicts added; anything that is not a ledger counts as an empty one."""
    found = ledger.get("pipelines") if ledger.get("format") == FORMAT else None
    pipelines = dict(found) if isinstance(found, dict) else {}
    for verdict in verdicts:
        if verdict.outcome == "skipped":
            continue
        row = {
            "ok": 0,
            "differs": 0,
            "failed": 0,
            "datums": {},
            **pipelines.get(verdict.pipeline, {}),
        }
        row[verdict.outcome] += 1
        datums = dict(row["datums"])
        datums.pop(verdict.datum, None)
        datums[verdict.datum] = {
            "key": verdict.key,
            "outcome": verdict.outcome,
            "detail": verdict.detail,
            "by": verdict.by,
        }
        row["datums"] = dict(list(datums.items())[-_NAMED:])
        pipelines[verdict.pipeline] = row
    return {"format": FORMAT, "pipelines": pipelines}
