"""The pictures of states in the documentation, held against what Redis does and what plans can say."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.job_store import Claim
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.states import JobState, PlanState
from tea_runner.wiring import Site
from tests.looking import make_job

PAGE = Path(__file__).parents[2] / "docs/explanation/failure-and-recovery.md"


def arrows(heading: str) -> list[tuple[str, str, str]]:
    """(from, to, why) of the picture below a heading; ``[*]`` is no state."""
    text = PAGE.read_text().split(f"## {heading}\n")[1].split("```mermaid\n")[1].split("```")[0]
    return re.findall(r"^ *(\S+) --> (\S+?)(?:: (.*))?$", text, re.MULTILINE)


class Moves:
    """What happens to one job in Redis, named as the picture names it."""

    def __init__(self, site: Site) -> None:
        self.site, self.jobs = site, site.jobs
        self.job: Job = make_job()

    def wanted(self) -> None:
        self.jobs.enqueue(self.job)

    def claimed(self) -> Claim:
        claim = self.jobs.claim(self.job.id, "worker", "token")
        assert claim is not None
        return claim

    def lease_ran_out(self) -> None:
        self.site.redis.delete(redis_keys.lease(self.job.id))

    def its_workers_died(self) -> None:
        for _ in range(2):
            self.lease_ran_out()
            self.claimed()
        self.lease_ran_out()
        assert self.jobs.claim(self.job.id, "worker", "token") is None

    def taken_over(self) -> None:
        self.lease_ran_out()
        self.claimed()

    def stopped_at_its_worker(self, claim: Claim) -> None:
        assert "stopping" == self.jobs.cancel(self.job.id)
        self.jobs.release(claim)

    def state(self) -> str:
        return self.jobs.get(self.job.id).get("state", "[*]")


#: What the picture calls a move, from ``waiting`` and from ``running``.
FROM_WAITING: dict[str, Callable[[Moves], object]] = {
    "claimed, with a lease": lambda moves: moves.claimed(),
    "cancelled by a user": lambda moves: moves.jobs.cancel(moves.job.id),
}
FROM_RUNNING: dict[str, Callable[[Moves, Claim], object]] = {
    "the lease is extended": lambda moves, claim: moves.jobs.extend(claim),
    "the lease ran out, another worker claims it": lambda moves, claim: moves.taken_over(),
    "released (SIGTERM)": lambda moves, claim: moves.jobs.release(claim),
    "outside failure, after a delay that doubles": (
        lambda moves, claim: moves.jobs.retry_later(claim, "storage is away", wait=2)
    ),
    "results are on the forge": lambda moves, claim: moves.jobs.finish(claim, "done"),
    "a datum failed, or content is missing": (
        lambda moves, claim: moves.jobs.finish(claim, "failed", "code 1")
    ),
    "its workers were lost 3 times in a row": lambda moves, claim: moves.its_workers_died(),
    "cancelled by a user": (lambda moves, claim: moves.stopped_at_its_worker(claim)),
}


@pytest.mark.parametrize("arrow", arrows("A job"), ids=lambda arrow: f"{arrow[2] or 'end'}")
def test_each_arrow_of_a_job_is_what_happens(site: Site, arrow: tuple[str, str, str]) -> None:
    """From the state at its foot the move leads to the state at its point; ends are ends."""
    before, after, why = arrow
    moves = Moves(site)
    if after == "[*]":
        assert before in {"done", "failed", "cancelled"}
        return
    if before == "[*]":
        assert "enqueued by a plan" == why
        moves.wanted()
    elif before == "waiting":
        moves.wanted()
        FROM_WAITING[why](moves)
    else:
        moves.wanted()
        claim = moves.claimed()
        assert "running" == moves.state()
        FROM_RUNNING[why](moves, claim)
    assert after == moves.state()


def test_all_states_are_in_the_pictures() -> None:
    """Those of a job and those of a pipeline's plan; no other."""
    pictured = {
        heading: {state for arrow in arrows(heading) for state in arrow[:2]} - {"[*]"}
        for heading in ("A job", "A run")
    }
    assert {"A job": {*get_args(JobState)}, "A run": {*get_args(PlanState)}} == pictured


def test_every_move_is_in_the_picture() -> None:
    """What is tried here is what is drawn there."""
    drawn = {why for before, _, why in arrows("A job") if before in ("waiting", "running")}
    assert {*FROM_WAITING, *FROM_RUNNING} == drawn


def test_a_run_stands_as_the_sentence_below_its_picture_says() -> None:
    """Going on first, then failed, blocked, settled."""
    order = ("failed", "blocked", "settled")
    for pair in itertools.product(get_args(PlanState), repeat=2):
        pipelines = [PipelineRun(name=state, state=state) for state in pair]
        run = Run(id="1", repository="a/b", branch="main", commit="0" * 40, pipelines=pipelines)
        going_on = {"running", "ready", "waiting"} & {*pair}
        expected = "running" if going_on else next(state for state in order if state in pair)
        assert expected == run.state, pair
