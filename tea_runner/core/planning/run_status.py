"""The status of a run: state and reason of each datum, from the run's plan and its jobs.

A plan has actions, a job has a set of datums, and people need the state of each datum, the same on
pages, in the terminal and in JSON.  Counts add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tea_runner.core.planning.job_record import JobRecord, jobs_by_key
from tea_runner.core.planning.plan import Source
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.run_datum_states import DatumRow, count_datums, datum_state
from tea_runner.core.planning.states import ENDED_STATES, STATES, State
from tea_runner.core.planning.worker_requirement import NEEDS, Offered, unoffered


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
    #: What its file asks for and does not happen; empty for nothing.
    remark: str = ""
    #: Names of its schedules and of its inputs with a trigger, and its variables with their values.
    schedules: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    jobs: tuple[str, ...] = ()
    #: All that have something to do, and some of the unchanged ones.
    datums: tuple[DatumStatus, ...] = ()
    #: How many unchanged datums are not among them.
    unlisted: int = 0

    @property
    def starts_by_hand(self) -> bool:
        """Whether a person can start it."""
        return bool(self.schedules or self.triggers or self.variables)

    @property
    def total(self) -> int:
        """How many datums it has, as far as known."""
        return sum(self.numbers.values())


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Something that failed outside of the commands, and is tried again by itself."""

    reason: str
    #: How many tries have failed.
    tries: int
    #: When it is tried again, in seconds since 1970; 0 for at once.
    next_try: float
    #: Id of the job; empty for the plan.
    job: str = ""


@dataclass(frozen=True, kw_only=True)
class Lack:
    """Jobs that no worker can do now."""

    reason: str
    #: How many jobs.
    jobs: int


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run with its state and those of its pipelines."""

    run: Run
    state: State
    pipelines: tuple[PipelineStatus, ...]
    retries: tuple[Retry, ...] = ()
    lacking: tuple[Lack, ...] = ()

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
        return self.run.has_ended

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is under way."""
        return self.run.ended - self.run.started if self.run.ended else None


def run_status(
    run: Run,
    jobs: Mapping[str, JobRecord] | None = None,
    offers: Collection[Offered] = NEEDS,
    counts: Sequence[Counter[State]] | None = None,
) -> RunStatus:
    """The status of a run.

    :param jobs: its jobs by id; missing ones count as waiting.  They say nothing of a run that has ended:
        a later run may have enqueued them again.
    :param offers: what the workers that run can do.
    :param counts: of each pipeline, where they are known; its datums are left out then.
    """
    pipelines = tuple(
        _pipeline(run, pipeline, jobs or {}, offers, counts[number] if counts else None)
        for number, pipeline in enumerate(run.pipelines)
    )
    return RunStatus(
        run=run,
        state=_verdict(run, pipelines),
        pipelines=pipelines,
        retries=() if run.has_ended else tuple(_retries(run, jobs or {})),
        lacking=() if run.has_ended else lacks((jobs or {}).values(), offers),
    )


def lack_of(facts: JobRecord, offers: Collection[Offered]) -> str:
    """Why a job waits for a worker that does not run; empty for any other job."""
    return unoffered(facts.needs, offers, facts.demand) if facts.state == "waiting" else ""


def lacks(jobs: Iterable[JobRecord], offers: Collection[Offered]) -> tuple[Lack, ...]:
    """What the workers that run cannot do of these jobs."""
    counted = Counter(lack_of(facts, offers) for facts in jobs)
    return tuple(Lack(reason=reason, jobs=counted[reason]) for reason in sorted(+counted) if reason)


def _retries(run: Run, jobs: Mapping[str, JobRecord]) -> Iterator[Retry]:
    if run.trouble:
        yield Retry(reason=run.trouble, tries=run.tries, next_try=run.next_try)
    for facts in jobs.values():
        if facts.state == "waiting" and facts.error:
            yield Retry(
                reason=facts.error,
                tries=facts.troubles,
                next_try=facts.next_try,
                job=facts.id,
            )


def _verdict(run: Run, pipelines: Sequence[PipelineStatus]) -> State:
    states = {pipeline.state for pipeline in pipelines}
    if run.superseded:
        return "superseded"
    if not run.has_ended:
        return "running" if states - {"waiting", "reused"} else "waiting"
    for state in ("failed", "cancelled", "blocked"):
        if state in states:
            return state
    if run.problems:
        return "failed"
    return "reused" if states == {"reused"} else "done"


def _pipeline(
    run: Run,
    row: PipelineRun,
    jobs: Mapping[str, JobRecord],
    offers: Collection[Offered],
    counts: Counter[State] | None,
) -> PipelineStatus:
    rows = row.datums if counts is None else []
    by_key = jobs_by_key(jobs[job_id] for job_id in row.jobs if job_id in jobs) if rows else {}
    live = {} if run.has_ended else by_key
    if counts is not None:
        numbers = counts
    elif live and row.datums:
        numbers = count_datums(row.datums, row.unlisted, live)
    else:
        numbers = Counter({state: row.counts.get(state, 0) for state in STATES})
    superseded = bool(run.superseded) and row.state not in ENDED_STATES
    datums = tuple(datum_status(datum, by_key, live, superseded, offers) for datum in rows)
    return PipelineStatus(
        name=row.name,
        state="superseded" if superseded else _state(row, numbers),
        numbers={state: numbers[state] for state in STATES if numbers[state]},
        reason=row.reason,
        detail=row.detail,
        commit=row.commit,
        upstream=tuple(row.upstream),
        home=row.home,
        signer=row.signer,
        remark=row.remark,
        schedules=tuple(row.schedules),
        triggers=tuple(row.triggers),
        variables=tuple((each["name"], each["value"]) for each in row.variables),
        jobs=tuple(row.jobs),
        datums=datums,
        unlisted=row.unlisted,
    )


def datum_status(
    row: DatumRow,
    by_key: Mapping[str, JobRecord],
    live: Mapping[str, JobRecord],
    superseded: bool = False,
    offers: Collection[Offered] = NEEDS,
) -> DatumStatus:
    """The status of one datum.

    :param by_key: the jobs that compute or computed datums of its pipeline.
    :param live: the same while the run has not ended, otherwise none.
    :param superseded: whether its pipeline was replaced before it ended.
    """
    label, key, action, reason, detail, source = row
    state = datum_state(row, live.get(key))
    if superseded and state in ("waiting", "running"):
        state = "superseded"
    why = detail or SENTENCES.get(reason, reason)  # type: ignore[call-overload]
    if state == "done" and reason in ("known", "current"):
        why = "a job of this run computed it"
    elif state == "recovered":
        why = SENTENCES["recovered"]
    elif action == "reuse" and reason != "edited":
        why = SENTENCES["known"] + (f" ({detail[:12]})" if detail else "")
    elif state == "waiting" and key in live and (lack := lack_of(live[key], offers)):
        reason, why = "no-worker", lack
    elif action == "failed":
        why = SENTENCES.get(reason, SENTENCES["failed"])  # type: ignore[call-overload]
    error = ""
    if state in ("failed", "cancelled"):
        error = detail if action == "failed" else live[key].error_of(key) if key in live else ""
    facts = by_key.get(key)
    return DatumStatus(
        label=label,
        key=key,
        state=state,
        reason=reason,
        source=source,
        why=why,
        job=facts.id if facts else "",
        error=error,
    )


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
