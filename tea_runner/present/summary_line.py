"""Counts and states as one line, for commit statuses and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

#: Words of a plan's actions, in the order of the text.
_WORDS = (
    ("done", "done"),
    ("reused", "reused"),
    ("reuse", "to reuse"),
    ("current", "reused"),
    ("run", "to run"),
    ("wait", "waiting for content"),
    ("failed", "failed"),
)

#: A pipeline's state to that of a commit status.
FORGE_STATES: dict[str, Literal["pending", "success", "failure", "error"]] = {
    "settled": "success",
    "ready": "pending",
    "running": "pending",
    "waiting": "pending",
    "failed": "failure",
    "blocked": "error",
}


def counts(numbers: Mapping[str, int]) -> str:
    """``1 done, 5 reused``: each count once, and they add up to the number of datums."""
    merged: dict[str, int] = {}
    for name, word in _WORDS:
        if numbers.get(name):
            merged[word] = merged.get(word, 0) + numbers[name]
    return ", ".join(f"{number} {word}" for word, number in merged.items()) or "no datums"


def description(state: str, numbers: Mapping[str, int], detail: str = "") -> str:
    """Description of a commit status, at most 140 characters."""
    if state == "waiting":
        text = f"waits for {detail}"
    elif state == "blocked":
        text = detail or "cannot be planned"
    elif state == "failed":
        total = sum(numbers.values())
        text = f"{numbers.get('failed', 0)} of {total} failed: {detail}"
    else:
        text = counts(numbers)
        if state == "settled" and detail:
            text += f"; {detail}"
    text = " ".join(text.split())
    return text if len(text) <= 140 else text[:139] + "…"
