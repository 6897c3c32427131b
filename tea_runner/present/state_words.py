"""States in, the word, the shape and the sentence that people see out."""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.planning.run_status import PipelineStatus, RunStatus
from tea_runner.core.planning.states import STATES, State
from tea_runner.present.human_units import duration

#: A shape beside each word, so that nobody needs to see its colour.
SHAPES: Mapping[State, str] = {
    "failed": "✗",
    "cancelled": "⊘",
    "blocked": "■",
    "running": "▶",
    "waiting": "○",
    "done": "✓",
    "reused": "↻",
}

#: How states are told one after the other: what was achieved first.
_TOLD: tuple[State, ...] = (
    "done",
    "reused",
    "running",
    "waiting",
    "failed",
    "cancelled",
    "blocked",
)


def counts_text(counts: Mapping[State, int]) -> str:
    """``3 done, 125 reused``; each count once, and they add up to the number of datums."""
    return ", ".join(f"{counts[state]} {state}" for state in _TOLD if counts.get(state))


def progress(pipeline: PipelineStatus) -> str:
    """``12 done + 116 reused / 128``: what is finished, of how many."""
    if not pipeline.total:
        return "no datums" if pipeline.state in ("done", "reused") else "not planned yet"
    finished = [
        f"{pipeline.numbers[state]} {state}"
        for state in ("done", "reused")
        if pipeline.numbers.get(state)
    ]
    return f"{' + '.join(finished) or '0'} / {pipeline.total}"


def run_sentence(standing: RunStatus) -> str:
    """How a run stands, in one line."""
    counted = counts_text(standing.numbers)
    took = f", in {duration(standing.seconds)}" if standing.seconds is not None else ""
    if standing.run.problems and not counted:
        return standing.run.problems[0]
    return (counted or "no datums") + took


def pipeline_remark(pipeline: PipelineStatus) -> str:
    """What there is to say of a pipeline besides its numbers."""
    if pipeline.reason == "upstream":
        return f"waits for {pipeline.detail}"
    if pipeline.reason == "blocked-by-failure":
        return f"reads {pipeline.detail}, which has not succeeded"
    if pipeline.state == "blocked":
        return f"blocked: {pipeline.detail or 'it cannot be planned'}"
    return pipeline.detail


def ordered(counts: Mapping[State, int]) -> list[tuple[State, int]]:
    """The counts that are not 0, what needs a person first."""
    return [(state, counts[state]) for state in STATES if counts.get(state)]
