"""Symbols and short texts for states of runs and pipelines."""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.planning.paused_or_unapproved_work import HOLD_REASONS
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import PipelineStatus, Retry, RunStatus
from tea_runner.core.planning.states import STATES, State
from tea_runner.present.human_units import duration

#: A symbol for each state, so that no state is told by its colour alone.
SHAPES: Mapping[State, str] = {
    "failed": "✗",
    "cancelled": "⊘",
    "blocked": "■",
    "recovered": "◐",
    "running": "▶",
    "waiting": "○",
    "done": "✓",
    "reused": "↻",
    "superseded": "»",
}

_FINISHED: tuple[State, ...] = ("done", "reused", "recovered")

#: Order of states in a list of counts: successes first.
_ORDER: tuple[State, ...] = (
    "done",
    "reused",
    "recovered",
    "running",
    "waiting",
    "failed",
    "cancelled",
    "blocked",
    "superseded",
)


def counts_text(counts: Mapping[State, int]) -> str:
    """``3 done, 125 reused``; each count once, and they add up to the number of datums."""
    return ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts.get(state))


def progress(pipeline: PipelineStatus) -> str:
    """``12 done + 116 reused / 128``: finished datums of the total."""
    if not pipeline.total:
        return "no datums" if pipeline.state in ("done", "reused") else _unplanned(pipeline)
    finished = [
        f"{pipeline.numbers[state]} {state}" for state in _FINISHED if pipeline.numbers.get(state)
    ]
    return f"{' + '.join(finished) or '0'} / {pipeline.total}"


def _unplanned(pipeline: PipelineStatus) -> str:
    return f"waiting for {pipeline.detail}" if pipeline.reason == "upstream" else "not planned yet"


def run_sentence(status: RunStatus) -> str:
    """The status of a run in one line."""
    counted = counts_text(status.numbers)
    took = f", in {duration(status.seconds)}" if status.seconds is not None else ""
    if status.run.problems and not counted:
        return status.run.problems[0]
    replaced = f"; {status.run.superseded}" if status.run.superseded else ""
    more = [*hold_sentences(status), *lack_sentences(status)]
    return "; ".join([(counted or "no datums") + took + replaced, *more])


def run_origin(run: Run) -> str:
    """Why a run was made, and after which one; empty for the first run of a push."""
    if not run.previous or run.attempt == 1:
        return ""
    return f"attempt {run.attempt} of this commit, after run {run.previous}: {run.why}"


def retry_sentences(status: RunStatus, now: float) -> list[str]:
    """What is tried again, why, how often it was tried, and when it is tried next; each reason once."""
    by_reason: dict[str, list[Retry]] = {}
    for retry in status.retries:
        by_reason.setdefault(retry.reason, []).append(retry)
    found = []
    for reason, retries in by_reason.items():
        jobs = sum(1 for retry in retries if retry.job)
        what = "the plan" if not jobs else "1 job" if jobs == 1 else f"{jobs} jobs"
        tries = max(retry.tries for retry in retries)
        left = min(retry.next_try for retry in retries) - now
        when = f"next try in {duration(left)}" if left > 1 else "next try now"
        found.append(f"{what}: {reason}; try {tries} failed, {when}")
    return found


def lack_sentences(status: RunStatus) -> list[str]:
    """Jobs that no worker can do now, and why."""
    return [
        f"{lack.jobs} {'job waits' if lack.jobs == 1 else 'jobs wait'}: {lack.reason}"
        for lack in status.lacking
    ]


def kept_sentence(status: RunStatus) -> str:
    """What failed pipelines keep, and what a retry computes; empty where nothing failed."""
    good = again = 0
    for row in status.pipelines:
        bad = row.numbers.get("failed", 0) + row.numbers.get("cancelled", 0)
        if bad:
            again += bad
            good += sum(row.numbers.get(state, 0) for state in _FINISHED)
    if not again or not status.ended:
        return ""
    kept = "1 good result is kept" if good == 1 else f"{good} good results are kept"
    return f"{kept}; a retry computes {again}" if good else f"a retry computes {again}"


def pipeline_remark(pipeline: PipelineStatus) -> str:
    """Explanation of a pipeline's state, besides its counts, its remark and variables; may be empty."""
    values = ", ".join(f"{name}={value}" for name, value in pipeline.variables)
    return "; ".join(filter(None, (_explanation(pipeline), pipeline.remark, values)))


def _explanation(pipeline: PipelineStatus) -> str:
    if pipeline.reason == "upstream":
        return f"waits for {pipeline.detail}"
    if pipeline.reason in HOLD_REASONS:
        return hold_sentence(pipeline.reason, pipeline.detail)
    if pipeline.reason == "blocked-by-failure":
        return f"reads {pipeline.detail}, which has not succeeded"
    if pipeline.state == "blocked":
        return f"blocked: {pipeline.detail or 'it cannot be planned'}"
    return pipeline.detail


def hold_sentence(reason: str, detail: str) -> str:
    """Why the jobs of a pipeline do not begin, for a person; empty where they do."""
    if reason == "approval-needed":
        return f"waits for approval: {detail}"
    return detail if reason == "paused" else ""


def hold_sentences(status: RunStatus) -> list[str]:
    """Why jobs of a run do not begin, each once; nothing of a run that has ended."""
    rows = () if status.ended else status.pipelines
    return list(dict.fromkeys(filter(None, (hold_sentence(r.reason, r.detail) for r in rows))))


def ordered(counts: Mapping[State, int]) -> list[tuple[State, int]]:
    """The counts that are not 0, problems first."""
    return [(state, counts[state]) for state in STATES if counts.get(state)]
