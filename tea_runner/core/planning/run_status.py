"""The status of a run: state and reason of each datum, from the run's plan and its jobs.

A plan has actions, a job has a set of datums, and people need the state of each datum: one of the
seven states of the glossary, the same on pages, in the terminal and in JSON.  Counts add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.planning.run import DatumRow, PipelineRun, Run
from tea_runner.core.planning.states import ENDED_STATES, STATES, JobState, State

#: Action of a plan, or word of its counts, to the state of a datum.
_OF_ACTION: Mapping[str, State] = {
    "done": "done",
    "reused": "reused",
    "reuse": "reused",
    "current": "reused",
    "run": "waiting",
    "wait": "waiting",
    "failed": "failed",
    "cancelled": "cancelled",
    "blocked": "blocked",
}


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """One job in the queue; times are seconds since 1970, 0 for what has not happened yet."""

    id: str
    state: JobState
    #: None when it carries no valid seal of the planner.
    job: Job | None = None
    attempt: int = 0
    worker: str = ""
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    error: str = ""
    #: Duration, and bytes of inputs that were fetched, once they are known.
    seconds: float | None = None
    fetched: int | None = None
    #: Whether its cancellation was requested.
    stopping: bool = False

    @property
    def datums(self) -> tuple[tuple[str, str], ...]:
        """(label, key) of each datum."""
        return self.job.datums if self.job else ()


@dataclass(frozen=True, kw_only=True)
class DatumStatus:
    """One datum of a run."""

    label: str
    key: str
    state: State
    reason: str
    #: Of a reused result, what holds it.
    source: Source | None = None
    #: The reason as a sentence.
    why: str
    #: Id of the job that computes or computed it, if there is one.
    job: str = ""
    #: The error sentence, if it failed.
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class PipelineStatus:
    """One pipeline of a run."""

    name: str
    state: State
    #: How many datums are in each state; they add up to the number of datums.
    numbers: Mapping[State, int] = field(default_factory=dict)
    #: Why the pipeline as a whole waits or is blocked.
    reason: str = ""
    detail: str = ""
    commit: str = ""
    upstream: tuple[str, ...] = ()
    home: str = ""
    #: Name of the trusted signer of its manifest; empty where none proves it.
    signer: str = ""
    jobs: tuple[str, ...] = ()
    datums: tuple[DatumStatus, ...] = ()

    @property
    def total(self) -> int:
        """How many datums it has, as far as known."""
        return sum(self.numbers.values())


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run with its state and those of its pipelines."""

    run: Run
    state: State
    pipelines: tuple[PipelineStatus, ...]

    @property
    def numbers(self) -> Mapping[State, int]:
        """How many datums of all pipelines are in each state."""
        total: Counter[State] = Counter()
        for pipeline in self.pipelines:
            total.update(pipeline.numbers)
        return {state: total[state] for state in STATES if total[state]}

    @property
    def ended(self) -> bool:
        """Whether nothing is under way any more."""
        return self.run.state in ENDED_STATES

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is under way."""
        return self.run.ended - self.run.started if self.run.ended else None


def job_facts(job_id: str, known: Mapping[str, str], job: Job | None) -> JobFacts:
    """Parse a job's fields in the queue; invalid text counts as unknown.

    :param known: the fields.
    :param job: the job; None when its seal is not valid.
    """
    state = known.get("state", "")
    seconds, fetched = _number(known.get("seconds")), _number(known.get("fetched"))
    return JobFacts(
        id=job_id,
        state=next((each for each in get_args(JobState) if each == state), "waiting"),
        job=job,
        attempt=max(0, int(_number(known.get("attempt")) or 0)),
        worker=known.get("worker", ""),
        created=_number(known.get("created")) or 0.0,
        started=_number(known.get("started")) or 0.0,
        ended=_number(known.get("ended")) or 0.0,
        error=known.get("error", ""),
        seconds=seconds,
        fetched=None if fetched is None else int(fetched),
        stopping=state == "running" and bool(known.get("cancel")),
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    # Neither NaN nor a time beyond the calendar.
    return value if value is not None and -1.0 <= value < 1e12 else None


def run_status(run: Run, jobs: Mapping[str, JobFacts] | None = None) -> RunStatus:
    """The status of a run.

    :param jobs: its jobs by id; missing ones count as waiting.
    """
    pipelines = tuple(_pipeline(pipeline, jobs or {}) for pipeline in run.pipelines)
    return RunStatus(run=run, state=_verdict(run, pipelines), pipelines=pipelines)


def _verdict(run: Run, pipelines: Sequence[PipelineStatus]) -> State:
    states = {pipeline.state for pipeline in pipelines}
    if run.state not in ENDED_STATES:
        return "running" if states - {"waiting", "reused"} else "waiting"
    for state in ("failed", "cancelled", "blocked"):
        if state in states:
            return state
    if run.problems:
        return "failed"
    return "reused" if states == {"reused"} else "done"


def _pipeline(row: PipelineRun, jobs: Mapping[str, JobFacts]) -> PipelineStatus:
    known = [jobs[job_id] for job_id in row.jobs if job_id in jobs]
    by_key = {key: facts for facts in known for _, key in facts.datums}
    datums = tuple(_datum(datum, by_key) for datum in row.datums)
    numbers = _numbers(row, datums, known)
    return PipelineStatus(
        name=row.name,
        state=_state(row, numbers),
        numbers={state: numbers[state] for state in STATES if numbers[state]},
        reason=row.reason,
        detail=row.detail,
        commit=row.commit,
        upstream=tuple(row.upstream),
        home=row.home,
        signer=row.signer,
        jobs=tuple(row.jobs),
        datums=datums,
    )


def _datum(row: DatumRow, by_key: Mapping[str, JobFacts]) -> DatumStatus:
    label, key, action, reason, detail, source = row
    facts = by_key.get(key)
    state = _OF_ACTION.get(action, "waiting")
    if action == "run" and facts is not None:
        state = facts.state
    elif action == "failed" and facts is not None and facts.state == "cancelled":
        state = "cancelled"
    elif action == "reuse" and source == "job":
        state = "done"
    why = detail or SENTENCES.get(reason, reason)  # type: ignore[call-overload]
    if state == "done" and reason in ("known", "current"):
        why = "a job of this run computed it"
    elif action == "reuse":
        why = SENTENCES["known"] + (f" ({detail[:12]})" if detail else "")
    error = ""
    if state in ("failed", "cancelled"):
        # A job keeps one error for all its datums; the plan has each datum's own.
        error = detail if action == "failed" else facts.error if facts else ""
    return DatumStatus(
        label=label,
        key=key,
        state=state,
        reason=reason,
        source=source,
        why=SENTENCES["failed"] if action == "failed" else why,
        job=facts.id if facts else "",
        error=error,
    )


def _numbers(
    row: PipelineRun, datums: Sequence[DatumStatus], jobs: Sequence[JobFacts]
) -> Counter[State]:
    total = sum(row.counts.values())
    if row.state != "settled" and len(datums) == total:
        return Counter(datum.state for datum in datums)
    numbers: Counter[State] = Counter()
    for word, number in row.counts.items():
        numbers[_OF_ACTION.get(word, "waiting")] += number
    # A run keeps a part of its datums: the states of the others follow from the sizes of the jobs.
    left = row.counts.get("run", 0)
    of_jobs: tuple[JobState, ...] = ("done", "failed", "cancelled", "running")
    for state in of_jobs:
        here = min(left, sum(len(job.datums) for job in jobs if job.state == state))
        left -= here
        numbers["waiting"] -= here
        numbers[state] += here
    stopped = min(numbers["failed"], sum(datum.state == "cancelled" for datum in datums))
    numbers["failed"] -= stopped
    numbers["cancelled"] += stopped
    return numbers


def _state(row: PipelineRun, numbers: Mapping[State, int]) -> State:
    if row.state == "blocked":
        return "blocked"
    if row.state == "failed":
        return "cancelled" if numbers.get("cancelled") and not numbers.get("failed") else "failed"
    if row.state == "settled":
        return "reused" if numbers.get("reused") and not numbers.get("done") else "done"
    if row.state == "waiting":
        return "waiting"
    begun = numbers.get("running") or numbers.get("done") or row.state == "ready"
    return "running" if begun else "waiting"
