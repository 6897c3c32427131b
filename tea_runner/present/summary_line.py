"""Counts and states as one line, for commit statuses and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tea_runner.present.human_units import duration

#: Words of states of datums and of a plan's actions, in the order of the text.
_WORDS = (
    ("done", "done"),
    ("reused", "reused"),
    ("reuse", "to reuse"),
    ("current", "reused"),
    ("recovered", "recovered"),
    ("run", "to run"),
    ("waiting", "to run"),
    ("wait", "waiting for content"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
    ("superseded", "superseded"),
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


def counts(numbers: Mapping[Any, int]) -> str:
    """``1 done, 5 reused``: each count once, and they add up to the number of datums."""
    merged: dict[str, int] = {}
    for name, word in _WORDS:
        if numbers.get(name):
            merged[word] = merged.get(word, 0) + numbers[name]
    return ", ".join(f"{number} {word}" for word, number in merged.items()) or "no datums"


def description(
    state: str, numbers: Mapping[Any, int], detail: str = "", seconds: float | None = None
) -> str:
    """Description of a commit status, at most 140 characters.

    :param seconds: how long it took; shown where something was computed.
    """
    computed = any(numbers.get(word) for word in ("done", "recovered", "failed"))
    took = f" in {duration(seconds)}" if seconds is not None and computed else ""
    if state == "waiting":
        text = f"waits for {detail}"
    elif state == "blocked":
        text = detail or "cannot be planned"
    elif state == "failed":
        total = sum(numbers.values())
        bad = [(numbers.get(word, 0), word) for word in ("failed", "cancelled")]
        text = " and ".join(f"{number} of {total} {word}" for number, word in bad if number)
        text = f"{text}{took}: {detail}" if text else detail
    else:
        text = counts(numbers) + took
        if detail:
            text += f"; {detail}"
    return shortened(text)


def shortened(text: str) -> str:
    """One line of at most 140 characters, which forges show of a description."""
    text = " ".join(text.split())
    return text if len(text) <= 140 else text[:139] + "…"
