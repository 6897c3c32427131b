"""Facts of a job in the queue, parsed from its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import get_args

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.states import JobState
from tea_runner.core.planning.worker_requirement import Need, read_class
from tea_runner.core.resource_demand import NO_DEMAND, ResourceDemand


@dataclass(frozen=True, kw_only=True)
class JobRecord:
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
    #: Errors of the datums that failed, by key; empty where they were not kept one by one.
    failures: Mapping[str, str] = field(default_factory=dict)
    #: Duration, and bytes of inputs that were fetched, once they are known.
    seconds: float | None = None
    fetched: int | None = None
    #: Seconds in which inputs were fetched, commands ran, and results were saved and sent.
    fetch_seconds: float | None = None
    run_seconds: float | None = None
    store_seconds: float | None = None
    #: Attempts that ended with an error of the outside, after which it is tried again.
    troubles: int = 0
    #: When it can be claimed again; 0 for at once.
    next_try: float = 0.0
    #: Whether its cancellation was requested.
    stopping: bool = False
    #: Who cancelled it, or requested that.
    cancelled_by: str = ""
    #: What its worker must offer, and reserve for it.
    needs: Need = "host"
    demand: ResourceDemand = NO_DEMAND

    @property
    def datums(self) -> tuple[tuple[str, str], ...]:
        """(label, key) of each datum."""
        return self.job.datums if self.job else ()

    def state_of(self, key: str) -> JobState:
        """The state of one of its datums: in a job that failed, those that did not fail are done."""
        if self.state == "failed" and self.failures and key not in self.failures:
            return "done"
        return self.state

    def error_of(self, key: str) -> str:
        """The error of one of its datums."""
        return self.failures.get(key, "") if self.failures else self.error


def jobs_by_key(jobs: Iterable[JobRecord]) -> dict[str, JobRecord]:
    """The last of these jobs that has each key."""
    return {key: facts for facts in jobs for _, key in facts.datums}


def parse_job_record(job_id: str, known: Mapping[str, str], job: Job | None) -> JobRecord:
    """Parse a job's fields in the queue; invalid text counts as unknown.

    :param known: the fields.
    :param job: the job; None when its seal is not valid.
    """
    state = known.get("state", "")
    stopping = state == "running" and bool(known.get("cancel"))
    needs, demand = read_class(known.get("needs", ""))
    seconds, fetched = _number(known.get("seconds")), _number(known.get("fetched"))
    return JobRecord(
        id=job_id,
        state=next((each for each in get_args(JobState) if each == state), "waiting"),
        job=job,
        attempt=max(0, int(_number(known.get("attempt")) or 0)),
        worker=known.get("worker", ""),
        created=_number(known.get("created")) or 0.0,
        started=_number(known.get("started")) or 0.0,
        ended=_number(known.get("ended")) or 0.0,
        error=known.get("error", ""),
        failures=_texts(known.get("failures", "")),
        seconds=seconds,
        fetched=None if fetched is None else int(fetched),
        fetch_seconds=_number(known.get("fetch_seconds")),
        run_seconds=_number(known.get("run_seconds")),
        store_seconds=_number(known.get("store_seconds")),
        troubles=max(0, int(_number(known.get("troubles")) or 0)),
        next_try=_number(known.get("after")) or 0.0,
        stopping=stopping,
        cancelled_by=known.get("cancelled_by", "") if stopping or state == "cancelled" else "",
        needs=needs,
        demand=demand,
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    # Neither NaN nor a time beyond the calendar.
    return value if value is not None and -1.0 <= value < 1e12 else None


def _texts(text: str) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: error for key, error in pairs if isinstance(error, str)}
