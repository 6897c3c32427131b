"""Schedules: ticks are recorded, planned, computed once, and published only where they change something."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.recorded_ticks import ScheduleState
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tests.twins.files import Content
from tests.twins.lab import MemoryLab, failing
from tests.twins.plans import reasons
from tests.twins.queue import MemoryBroker, MemoryJobQueue
from tests.twins.specs import pfs, spec

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def cron(text: str = "0 * * * *", name: str = "tick", **more: object) -> dict[str, object]:
    """A schedule as an input."""
    return {"cron": {"name": name, "spec": text, **more}}


def scheduled(lab: MemoryLab, source: Mapping[str, object] | None = None, **more: object) -> None:
    """A pipeline with a schedule is pushed at noon, and planned."""
    lab.now = NOON
    lab.push({"fetch/spec.yml": spec("fetch", source or cron(overwrite=True), **more)})
    lab.settle()


def at(lab: MemoryLab, **later: float) -> list[str]:
    """Settle at a later time; the datums that were computed."""
    lab.now = NOON + timedelta(**later)
    return lab.settle()[1]


def test_the_first_tick_comes_after_the_first_plan(lab: MemoryLab) -> None:
    """A pipeline that was never planned has missed nothing."""
    scheduled(lab)
    assert "change" == lab.log()[0]
    assert [] == at(lab, minutes=59)
    assert ["tick:2026-11-30T13:00:00Z"] == at(lab, minutes=60)
    assert ["tick-2026-11-30T13-00-00Z.txt"] == list(lab.files("fetch"))
    assert [] == at(lab, minutes=61)


def test_a_start_in_the_past_ticks_at_once(lab: MemoryLab) -> None:
    """The ticks after it were missed."""
    lab.now = NOON
    source = cron("@every 24h", start="2026-11-01T00:00:00Z", overwrite=True)
    lab.push({"fetch/spec.yml": spec("fetch", source)})
    assert ["tick:2026-11-30T00:00:00Z"] == lab.settle()[1]


def test_without_overwrite_each_tick_is_a_datum_of_its_own(lab: MemoryLab) -> None:
    """Ticks add up, and those that are done are not done again."""
    scheduled(lab, cron())
    first, second = "tick:2026-11-30T13:00:00Z", "tick:2026-11-30T14:00:00Z"
    assert ([first], [second]) == (at(lab, hours=1), at(lab, hours=2))
    assert 2 == len(lab.files("fetch"))
    lab.push({"fetch/spec.yml": spec("fetch", cron(), cmd=["other"])})
    assert [first, second] == lab.settle()[1]


def test_with_overwrite_the_newest_tick_replaces_the_one_before(lab: MemoryLab) -> None:
    """The outputs of the former tick go with it."""
    scheduled(lab)
    at(lab, hours=1)
    at(lab, hours=2)
    assert ["tick-2026-11-30T14-00-00Z.txt"] == list(lab.files("fetch"))


def test_missed_ticks_are_caught_up_once_or_all(lab: MemoryLab) -> None:
    """After an outage the newest stands for all, unless the pipeline asks for each."""
    lab.now = NOON
    lab.push(
        {
            "once/spec.yml": spec("once", cron(name="a")),
            "all/spec.yml": spec("all", cron(name="b", catch_up="all")),
        }
    )
    lab.settle()
    hours = [f"2026-11-30T{hour}:00:00Z" for hour in (13, 14, 15)]
    assert [f"a:{hours[-1]}", *(f"b:{hour}" for hour in hours)] == at(lab, hours=3.5)


def test_a_tick_is_crossed_with_data(lab: MemoryLab) -> None:
    """Each file with each tick; a new file with the newest tick alone where it is overwritten."""
    lab.now = NOON
    source = {"cross": [pfs(), cron(overwrite=True)]}
    lab.push({"raw/a": "1", "raw/b": "2", "fetch/spec.yml": spec("fetch", source)})
    assert [] == lab.settle()[1]
    tick = "tick:2026-11-30T13:00:00Z"
    assert [f"in:a {tick}", f"in:b {tick}"] == at(lab, hours=1)
    lab.push({"raw/c": "3"})
    assert [f"in:c {tick}"] == at(lab, hours=1.5)


def test_results_of_a_tick_start_what_reads_them(lab: MemoryLab) -> None:
    """A pipeline downstream runs as after any other change."""
    lab.now = NOON
    below = {"pfs": {"repo": "fetch", "glob": "/*"}}
    lab.push(
        {
            "fetch/spec.yml": spec("fetch", cron(overwrite=True)),
            "below/spec.yml": spec("below", below),
        }
    )
    lab.settle()
    assert ["fetch:tick-2026-11-30T13-00-00Z.txt", "tick:2026-11-30T13:00:00Z"] == at(lab, hours=1)


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_tick_that_changes_nothing_makes_no_commit(lab: MemoryLab, *, overwrite: bool) -> None:
    """The same bytes at the same paths; the book says that the tick was done."""
    scheduled(lab, cron(overwrite=overwrite))

    def same(label: str, _: str) -> dict[str, Content]:
        return {"daily.csv": "1\n"} if overwrite or "T13" in label else {}

    lab.now = NOON + timedelta(hours=1)
    lab.settle(command=same)
    tip = lab.tip()
    lab.now = NOON + timedelta(hours=2)
    done, computed = lab.settle(command=same)
    assert ["tick:2026-11-30T14:00:00Z"] == computed
    assert (tip, True, []) == (lab.tip(), done.ended, lab.job_refs())
    lab.planner = IncrementalPlanner()
    assert [] == at(lab, hours=2.5)
    assert tip == lab.tip()


def test_a_first_tick_that_makes_nothing_makes_no_commit(lab: MemoryLab) -> None:
    """There was nothing, and there is nothing."""
    scheduled(lab)
    lab.now = NOON + timedelta(hours=1)
    _, computed = lab.settle(command=lambda *_: {})
    assert ["tick:2026-11-30T13:00:00Z"] == computed
    assert "change" == lab.log()[0]


def test_the_same_outputs_under_another_command_are_committed(lab: MemoryLab) -> None:
    """The manifest has the new keys, so that nothing is computed once more."""
    scheduled(lab)
    lab.now = NOON + timedelta(hours=1)
    lab.settle(command=write_same_file)
    lab.push({"fetch/spec.yml": spec("fetch", cron(overwrite=True), cmd=["other"])})
    lab.now = NOON + timedelta(hours=2)
    ticks = ["tick:2026-11-30T13:00:00Z", "tick:2026-11-30T14:00:00Z"]
    assert ticks == lab.settle(command=write_same_file)[1]
    assert "[DATALAD RUNCMD] fetch: tick:2026-11-30T13:00:00Z" == lab.log()[0]
    assert [] == at(lab, hours=2.5)


def write_same_file(_: str, __: str) -> dict[str, Content]:
    """One file whatever the tick."""
    return {"daily.csv": "1\n"}


def test_a_due_tick_is_in_git_before_anything_runs(lab: MemoryLab) -> None:
    """A planner with an empty Redis plans the same tick again, though the clock goes on."""
    scheduled(lab)
    lab.now = NOON + timedelta(hours=1)
    lab.advance()
    state = lab.dataset.tick_book("main").states["fetch", "tick"]
    tick = "2026-11-30T13:00:00Z"
    assert ScheduleState(tick, (tick,)) == state
    lab.broker = MemoryBroker()
    lab.queue = MemoryJobQueue(lab.broker)
    lab.planner = IncrementalPlanner()
    assert [f"tick:{tick}"] == at(lab, hours=1.9)


def test_a_lost_book_goes_on_from_the_results(lab: MemoryLab) -> None:
    """The newest tick of the manifest says what was done; what was missed since is caught up."""
    scheduled(lab)
    at(lab, hours=1)
    refs = [ref for ref in lab.dataset.forge if ref.startswith("refs/tea/ticks/")]
    del lab.dataset.forge[refs[0]]
    assert [] == at(lab, hours=1.5)
    assert ["tick:2026-11-30T15:00:00Z"] == at(lab, hours=3)


def test_a_failed_tick_does_not_stop_the_next(lab: MemoryLab) -> None:
    """With overwrite the next tick takes its place."""
    scheduled(lab)
    lab.now = NOON + timedelta(hours=1)
    lab.settle(command=failing("tick:2026-11-30T13:00:00Z"))
    assert "change" == lab.log()[0]
    assert ["tick:2026-11-30T14:00:00Z"] == at(lab, hours=2)
    assert "[DATALAD RUNCMD] fetch: tick:2026-11-30T14:00:00Z" == lab.log()[0]


def test_a_plan_says_that_a_schedule_has_ticked(lab: MemoryLab) -> None:
    """The reason of the datum is its tick."""
    scheduled(lab, cron())
    lab.now = NOON + timedelta(hours=1)
    lab.advance()
    assert {"tick:2026-11-30T13:00:00Z": ("run", "tick")} == reasons(lab, "fetch")


def test_without_a_clock_nothing_ticks(lab: MemoryLab) -> None:
    """A branch without a clock has the ticks that its results have."""
    scheduled(lab, cron())
    at(lab, hours=1)
    lab.now = None
    assert [] == lab.settle()[1]
    assert 1 == len(lab.files("fetch"))


def test_two_planners_record_one_tick(lab: MemoryLab) -> None:
    """The one that comes second sees the book of the first."""
    scheduled(lab)
    lab.now = NOON + timedelta(hours=1)
    book = lab.dataset.tick_book("main")
    lab.advance()
    assert not lab.dataset.record_ticks("main", book)
    assert ["tick:2026-11-30T13:00:00Z"] == lab.work()


def test_more_ticks_than_publications_for_one_push_are_published(lab: MemoryLab) -> None:
    """A schedule goes on for years without a push."""
    scheduled(lab)
    for hour in range(1, 12):
        assert 1 == len(at(lab, hours=hour))
    assert 11 == sum("fetch: " in line for line in lab.log())


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))]
)
def test_a_week_with_outages_loses_and_doubles_no_tick(seed: int) -> None:
    """Whatever is lost but git, each hour of the week is computed once."""
    chance = random.Random(seed)
    lab = MemoryLab()
    scheduled(lab, cron(catch_up="all"))
    computed: list[str] = []
    hour = 0.0
    while hour < 7 * 24:
        hour += chance.choice([0.2, 0.5, 1.0, 3.0, 26.0])
        lab.now = NOON + timedelta(hours=min(hour, 7 * 24))
        lab.advance()
        if chance.random() < 0.3:  # Redis and the planner's memory are lost
            lab.broker = MemoryBroker()
            lab.queue = MemoryJobQueue(lab.broker)
            lab.planner = IncrementalPlanner()
            lab.advance()
        if chance.random() < 0.7:
            computed += lab.work()
            lab.advance()
    computed += lab.settle()[1]
    hours = [NOON + timedelta(hours=number) for number in range(1, 7 * 24 + 1)]
    assert [f"tick:{time:%Y-%m-%dT%H:%M:%SZ}" for time in hours] == sorted(computed)
    assert 7 * 24 == len(lab.files("fetch"))


def test_a_tick_by_hand_comes_beside_the_schedule(lab: MemoryLab) -> None:
    """Once, also where no clock runs; the schedule goes on as it would."""
    scheduled(lab, cron())
    lab.now = None
    lab.asked.ticks = [
        AskedTick(pipeline=name, tick="2026-11-30T12:10:00Z") for name in ("fetch", "nothing")
    ]
    assert ["tick:2026-11-30T12:10:00Z"] == lab.settle()[1]
    assert [] == lab.asked.ticks
    assert ["tick:2026-11-30T13:00:00Z"] == at(lab, hours=1)
    assert 2 == len(lab.files("fetch"))


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_schedule_that_is_faster_than_its_command_publishes(
    lab: MemoryLab, *, overwrite: bool
) -> None:
    """What runs gets no new tick: those that pass meanwhile are caught up after it."""
    scheduled(lab, cron(overwrite=overwrite))
    lab.now = NOON + timedelta(hours=1)
    lab.advance()
    lab.now = NOON + timedelta(hours=3.5)
    lab.advance()
    assert ["tick:2026-11-30T13:00:00Z"] == lab.work()
    lab.advance()
    assert "[DATALAD RUNCMD] fetch: tick:2026-11-30T13:00:00Z" == lab.log()[0]
    assert ["tick:2026-11-30T15:00:00Z"] == lab.work()


def test_the_book_of_a_deleted_branch_is_deleted(lab: MemoryLab) -> None:
    """The forge keeps no ref of it; a branch of the same name begins anew."""
    scheduled(lab)
    at(lab, hours=1)
    assert lab.dataset.tick_book("main").at
    del lab.dataset.forge["refs/heads/main"]
    lab.dataset.refresh()
    assert lab.advancer().advance("main") is None
    assert [] == [ref for ref in lab.dataset.forge if ref.startswith("refs/tea/ticks/")]
