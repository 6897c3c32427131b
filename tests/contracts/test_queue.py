"""JobQueue, RecomputeRequests and PlanRequests: memory, and Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tea_runner.broker.connection import connect
from tea_runner.broker.job_store import JobStore
from tea_runner.broker.plan_requests import PlanRequestStore
from tea_runner.broker.recompute_requests import BranchRecomputeRequests
from tea_runner.core.errors import QueueError
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.ports import Failure, JobQueue, PlanRequests, RecomputeRequests
from tea_runner.wiring import Site
from tests.looking import broker, site
from tests.twins.queue import (
    MemoryBroker,
    MemoryJobQueue,
    MemoryPlanRequests,
    MemoryRecomputeRequests,
)

__all__ = ["broker", "site"]

REPOSITORY = "lab/data"
KEYS = tuple(letter * 64 for letter in "abcd")


def make_job(*keys: str, branch: str = "main", scope: str = "", salt: str = "") -> Job:
    """A job of these keys."""
    return Job(
        repository=REPOSITORY,
        branch=branch,
        commit="c" * 40,
        pipeline="copy",
        datums=tuple((f"in:{key[0]}", key) for key in keys),
        scope=scope,
        salt=salt,
    )


@dataclass
class Side:
    """The three ports, and what workers and the planner do beside them."""

    jobs: JobQueue
    recompute: RecomputeRequests
    plans: PlanRequests
    #: Begin a job.
    claim: Callable[[Job], object]
    #: End a begun job in a state, with sentences for keys that failed, and attributes of some.
    finish: Callable[..., object]
    record_missing: Callable[..., object]
    add: Callable[[list[str], str], object]
    #: Take a plan request: the reason.
    begin: Callable[[str, str], str]
    #: End the interest of a branch in all jobs.
    leave: Callable[[str], object]
    #: Branches that were announced for planning, in order.
    announced: Callable[[], list[tuple[str, str]]]
    #: Counts of verdicts by pipeline and outcome.
    counted: Callable[[], dict[str, dict[str, int]]]


def memory_side() -> Side:
    """The twins."""
    broker = MemoryBroker()
    queue = MemoryJobQueue(broker)
    recompute = MemoryRecomputeRequests(queue, REPOSITORY, "main", broker)
    plans = MemoryPlanRequests(broker)

    def finish(
        job: Job, state: str, sentences: dict[str, str], attributes: dict[str, str] | None = None
    ) -> None:
        queue.fail(job, sentences, attributes)
        queue.finish(job.id, state)

    def counted() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for verdict in recompute.verdicts:
            row = found.setdefault(verdict.pipeline, {"ok": 0, "differs": 0, "failed": 0})
            row[verdict.outcome] += 1
        return found

    return Side(
        queue,
        recompute,
        plans,
        lambda job: queue.claim(job.id),
        finish,
        queue.record_missing,
        recompute.add,
        plans.begin,
        lambda branch: queue.unsubscribe_except((REPOSITORY, branch), ()),
        lambda: list(broker.plan_queue),
        counted,
    )


def redis_side(site: Site) -> Side:
    """The real ones."""
    planned: list[tuple[str, str]] = []

    def enqueue(queue: str, body: str) -> None:
        if queue == "plan":
            repository, branch = json.loads(body)
            planned.append((repository, branch))

    store = JobStore(site.redis, enqueue, secret=b"secret")
    recompute = BranchRecomputeRequests(site.redis, REPOSITORY, "main", store)
    plans = PlanRequestStore(site.redis, enqueue)
    claims: dict[str, Any] = {}

    def claim(job: Job) -> None:
        claims[job.id] = store.claim(job.id, "worker", f"token-{job.id}")
        assert claims[job.id] is not None

    def leave(branch: str) -> None:
        BranchRecomputeRequests(site.redis, REPOSITORY, branch, store).cancel_jobs_except(())

    def counted() -> dict[str, dict[str, int]]:
        rows = recompute.ledger().get("pipelines", {})
        names = ("ok", "differs", "failed")
        return {name: {word: row[word] for word in names} for name, row in rows.items()}

    return Side(
        store,
        recompute,
        plans,
        claim,
        lambda job, state, failures, attributes=None: store.finish(
            claims[job.id], state, failures=failures, attributes=attributes
        ),
        store.record_missing,
        recompute.add,
        plans.begin,
        leave,
        lambda: list(planned),
        counted,
    )


@pytest.fixture(params=["memory", "redis"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Each implementation in turn."""
    if request.param == "memory":
        yield memory_side()
    else:
        yield redis_side(request.getfixturevalue("site"))


# -- JobQueue --------------------------------------------------------------------------------


def test_a_job_is_new_until_it_has_ended(side: Side) -> None:
    """Waiting or running it is the same job; afterwards it may be asked for again."""
    job = make_job(*KEYS[:2])

    assert side.jobs.enqueue(job)
    assert not side.jobs.enqueue(job)
    side.claim(job)
    assert not side.jobs.enqueue(job)
    side.finish(job, "done", {})
    assert side.jobs.enqueue(job)


def test_a_waiting_job_moves_to_another_commit(side: Side) -> None:
    """Its id stays, and what a worker gets is the new one; a job that runs stays as it is."""
    job = make_job(*KEYS[:2])
    side.jobs.enqueue(job, pushed="1" * 40)
    new = replace(job, commit="d" * 40)
    of_other_pushes = partial(side.jobs.of_other_pushes, REPOSITORY, "main", [job.id])
    assert (0, [job]) == (len(of_other_pushes("1" * 40)), list(of_other_pushes("2" * 40)))
    assert side.jobs.move(new, "2" * 40)
    assert (0, [new]) == (len(of_other_pushes("2" * 40)), list(of_other_pushes("3" * 40)))
    side.claim(job)
    assert (False, 0) == (side.jobs.move(job, "3" * 40), len(of_other_pushes("3" * 40)))


def test_a_job_of_another_branch_moves_when_that_branch_has_left_it(side: Side) -> None:
    """And one of another repository does not."""
    job = make_job(KEYS[0], branch="other")
    side.jobs.enqueue(job, pushed="1" * 40)
    side.jobs.subscribe(REPOSITORY, "main", job.id)
    side.jobs.subscribe("lab/more", "main", job.id)
    asked = (REPOSITORY, "main", [job.id], "2" * 40)
    assert list(side.jobs.of_other_pushes(*asked)) == []
    side.leave("other")
    assert list(side.jobs.of_other_pushes(*asked)) == [job]
    assert list(side.jobs.of_other_pushes("lab/more", "main", [job.id], "2" * 40)) == []


def test_keys_of_waiting_and_running_jobs_are_in_flight(side: Side) -> None:
    """With the job's id; of no ended job, and of no other namespace."""
    one, two = make_job(*KEYS[:2]), make_job(KEYS[2])
    side.jobs.enqueue(one)
    side.jobs.enqueue(two)
    side.claim(two)
    expected = {KEYS[0]: one.id, KEYS[1]: one.id, KEYS[2]: two.id}

    assert dict(side.jobs.in_flight(REPOSITORY, KEYS)) == expected
    assert set(side.jobs.running([one.id, two.id])) == {two.id}
    assert dict(side.jobs.in_flight("lab/other", KEYS)) == {}
    assert dict(side.jobs.in_flight(REPOSITORY, [])) == {}
    side.finish(two, "done", {})
    assert dict(side.jobs.in_flight(REPOSITORY, [KEYS[2]])) == {}


def test_a_scope_has_keys_of_its_own(side: Side) -> None:
    """Jobs of an untrusted branch are not those of the repository."""
    job = make_job(KEYS[0], scope="abcd")
    side.jobs.enqueue(job)

    assert dict(side.jobs.in_flight(REPOSITORY, KEYS)) == {}
    assert dict(side.jobs.in_flight(f"{REPOSITORY}@abcd", KEYS)) == {KEYS[0]: job.id}


def test_failures_keep_their_sentences(side: Side) -> None:
    """Of the keys that failed, in the job's namespace."""
    job = make_job(*KEYS[:2])
    side.jobs.enqueue(job)
    side.claim(job)
    side.finish(job, "failed", {KEYS[0]: "no such colour"})

    assert dict(side.jobs.failures(REPOSITORY, KEYS)) == {KEYS[0]: Failure("no such colour")}
    assert dict(side.jobs.failures("lab/other", KEYS)) == {}
    assert dict(side.jobs.failures(REPOSITORY, [])) == {}


def test_a_failure_may_be_true_with_its_attributes_only(side: Side) -> None:
    """The digest is beside the sentence, not in it; other failures have none."""
    job = make_job(*KEYS[:2])
    side.jobs.enqueue(job)
    side.claim(job)
    side.finish(job, "failed", {KEYS[0]: "too large", KEYS[1]: "no"}, {KEYS[0]: "0123456789abcdef"})

    expected = {KEYS[0]: Failure("too large", "0123456789abcdef"), KEYS[1]: Failure("no")}
    assert expected == dict(side.jobs.failures(REPOSITORY, KEYS))


def test_missing_content_names_commit_and_annex_tip(side: Side) -> None:
    """Of all keys of the job."""
    job = make_job(*KEYS[:2])
    side.record_missing(job, "d" * 40, "it is in no storage")
    found = side.jobs.missing(REPOSITORY, KEYS)
    assert {key: tuple(each) for key, each in found.items()} == dict.fromkeys(
        KEYS[:2], ("c" * 40, "d" * 40, "it is in no storage")
    )
    assert dict(side.jobs.missing("lab/other", KEYS)) == {}


def test_missing_content_can_be_that_of_some_datums(side: Side) -> None:
    """The others of the job were computed."""
    side.record_missing(make_job(*KEYS[:2]), "d" * 40, "it is in no storage", [KEYS[1]])
    assert list(side.jobs.missing(REPOSITORY, KEYS)) == [KEYS[1]]


def test_a_branch_is_planned_when_its_last_job_has_ended(side: Side) -> None:
    """The branch that enqueued it, and those that subscribed; each once."""
    one, two = make_job(KEYS[0]), make_job(KEYS[1])
    for job in (one, two):
        side.jobs.enqueue(job)
        side.claim(job)
    side.jobs.subscribe("lab/other", "x", one.id)
    side.finish(one, "done", {})
    assert side.announced() == [("lab/other", "x")]
    side.finish(two, "failed", {})

    assert side.announced() == [("lab/other", "x"), (REPOSITORY, "main")]


# -- RecomputeRequests -----------------------------------------------------------------------


def test_requests_are_pending_until_they_are_complete(side: Side) -> None:
    """A later request of a word replaces the former; unknown words are passed over."""
    assert dict(side.recompute.pending()) == {}
    side.add(["copy", KEYS[0]], "r1")
    side.add(["copy"], "r2")
    assert dict(side.recompute.pending()) == {"copy": "r2", KEYS[0]: "r1"}
    side.recompute.complete(iter(["copy", "nothing"]))
    side.recompute.complete([])

    assert dict(side.recompute.pending()) == {KEYS[0]: "r1"}


def test_a_verdict_is_counted_once_for_each_request(side: Side) -> None:
    """A planner that dies and comes again counts nothing twice."""
    one = RecomputeVerdict(pipeline="copy", datum="in:a", key=KEYS[0], outcome="ok")
    two = RecomputeVerdict(pipeline="copy", datum="in:b", key=KEYS[1], outcome="differs")
    side.recompute.record_verdicts("r1", [one, two])
    side.recompute.record_verdicts("r1", [one, two])
    side.recompute.record_verdicts("r1", [])
    side.recompute.record_verdicts("r2", [one])

    assert side.counted() == {"copy": {"ok": 2, "differs": 1, "failed": 0}}


def test_needless_jobs_are_cancelled(side: Side) -> None:
    """Not those that run, nor those that another branch waits for, nor the exceptions."""
    kept, gone, running, shared = (make_job(key) for key in KEYS)
    for job in (kept, gone, running, shared):
        side.jobs.enqueue(job)
    side.claim(running)
    side.jobs.subscribe(REPOSITORY, "other", shared.id)
    side.recompute.cancel_jobs_except([kept.id])

    assert set(side.jobs.in_flight(REPOSITORY, KEYS)) == {KEYS[0], KEYS[2], KEYS[3]}
    assert side.jobs.enqueue(gone)


def test_the_lock_can_be_taken_again(side: Side) -> None:
    """Also after an error inside."""
    with side.recompute.exclusive():
        pass
    with pytest.raises(KeyError), side.recompute.exclusive():
        raise KeyError
    with side.recompute.exclusive():
        pass


# -- PlanRequests ----------------------------------------------------------------------------


def test_many_requests_of_one_ref_are_one(side: Side) -> None:
    """One of the reasons counts; other branches are others."""
    side.plans.request_plan(REPOSITORY, "refs/heads/main", why="first")
    side.plans.request_plan(REPOSITORY, "refs/heads/main", why="second")
    side.plans.request_plan(REPOSITORY, "refs/heads/a/b", why="third")

    assert side.announced() == [(REPOSITORY, "main"), (REPOSITORY, "a/b")]
    assert side.begin(REPOSITORY, "main") in ("first", "second")


def test_a_push_after_the_plan_began_is_another_request(side: Side) -> None:
    """Nothing that is pushed meanwhile is missed."""
    side.plans.request_plan(REPOSITORY, "refs/heads/main", why="first")
    side.begin(REPOSITORY, "main")
    assert side.begin(REPOSITORY, "main") == ""
    side.plans.request_plan(REPOSITORY, "refs/heads/main", why="second")

    assert side.announced() == [(REPOSITORY, "main")] * 2
    assert side.begin(REPOSITORY, "main") == "second"


# -- when Redis does not answer --------------------------------------------------------------

CALLS: dict[str, Callable[[Side], object]] = {
    "in_flight": lambda side: side.jobs.in_flight(REPOSITORY, KEYS),
    "failures": lambda side: side.jobs.failures(REPOSITORY, KEYS),
    "missing": lambda side: side.jobs.missing(REPOSITORY, KEYS),
    "next_attempt": lambda side: side.jobs.next_attempt(make_job(KEYS[0])),
    "enqueue": lambda side: side.jobs.enqueue(make_job(KEYS[0])),
    "of_other_pushes": lambda side: side.jobs.of_other_pushes(
        REPOSITORY, "main", ["f" * 32], "c" * 40
    ),
    "move": lambda side: side.jobs.move(make_job(KEYS[0]), "c" * 40),
    "subscribe": lambda side: side.jobs.subscribe(REPOSITORY, "main", "f" * 32),
    "pending": lambda side: side.recompute.pending(),
    "complete": lambda side: side.recompute.complete(["copy"]),
    "record_verdicts": lambda side: side.recompute.record_verdicts(
        "r1", [RecomputeVerdict(pipeline="copy", datum="in:a", key=KEYS[0], outcome="ok")]
    ),
    "cancel_jobs_except": lambda side: side.recompute.cancel_jobs_except([]),
    "exclusive": lambda side: side.recompute.exclusive().__enter__(),
    "request_plan": lambda side: side.plans.request_plan(REPOSITORY, "refs/heads/main", why="x"),
}


@dataclass
class _Dead:
    """A site whose Redis does not answer."""

    redis: Any


@pytest.fixture(params=["memory", "redis"])
def dead(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    """Each implementation with nothing that answers."""
    if request.param == "redis":
        return redis_side(_Dead(connect(f"unix://{tmp_path}/nothing")))  # type: ignore[arg-type]
    made = memory_side()
    assert isinstance(made.plans, MemoryPlanRequests)
    made.plans.broker.reachable = False
    return made


@pytest.mark.parametrize("name", CALLS)
def test_a_queue_that_does_not_answer_is_a_queue_error(dead: Side, name: str) -> None:
    """Of every method, and no error of a library."""
    with pytest.raises(QueueError):
        CALLS[name](dead)
