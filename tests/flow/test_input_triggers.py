"""Triggers of inputs hold a pipeline back until they fire, whatever is lost but git."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.flow.check_freshness import check_freshness
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.present.freshness_text import results_lines
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Gitlink
from tests.twins.lab import MemoryLab
from tests.twins.queue import MemoryBroker, MemoryJobQueue
from tests.twins.specs import gitmodules, pfs, spec
from tests.twins.subdatasets import MemorySubdatasets

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def triggered(lab: MemoryLab, **trigger: object) -> None:
    """A pipeline whose input has a trigger, and no data yet."""
    lab.now = NOON
    source = pfs(trigger=trigger)
    lab.push({"raw/.keep": "", "sum/spec.yml": spec("sum", source)})


def plan_of(lab: MemoryLab, name: str = "sum") -> PipelinePlan:
    """The plan of a pipeline at the tip."""
    found = lab.plan().plan.find(name)
    assert found is not None
    return found


def said(lab: MemoryLab) -> str:
    """What the pipeline waits for; empty where it does not."""
    row = plan_of(lab)
    return row.detail if row.reason == "trigger" else ""


def more(lab: MemoryLab, number: int) -> list[str]:
    """Push one more file; what was computed."""
    lab.push({f"raw/{number}": f"{number}"})
    return lab.settle()[1]


def lose_everything_but_git(lab: MemoryLab) -> None:
    """Redis, and the planner's memory."""
    lab.broker = MemoryBroker()
    lab.queue = MemoryJobQueue(lab.broker)
    lab.planner = IncrementalPlanner()


def test_commits_are_counted_until_there_are_enough(lab: MemoryLab) -> None:
    """Then all that came is computed, and the count begins anew."""
    triggered(lab, commits=3)
    assert [] == lab.settle()[1]
    assert "waits for 2 more commits" == said(lab)
    assert [] == more(lab, 1)
    assert "waits for 1 more commit" == said(lab)
    lose_everything_but_git(lab)
    assert "waits for 1 more commit" == said(lab)
    assert ["in:1", "in:2"] == [each for each in more(lab, 2) if each != "in:.keep"]
    assert "" == said(lab)
    assert ([], []) == (more(lab, 3), more(lab, 4))
    assert "waits for 1 more commit" == said(lab)
    assert ["in:3", "in:4", "in:5"] == more(lab, 5)


def test_a_run_that_waits_for_a_trigger_has_ended(lab: MemoryLab) -> None:
    """Nothing is under way, and what reads it waits as well."""
    triggered(lab, commits=3)
    below = {"pfs": {"repo": "sum", "glob": "/*"}}
    lab.push({"below/spec.yml": spec("below", below)})
    done, computed = lab.settle()
    assert (True, [], False) == (done.ended, computed, lab.plan().plan.has_work)
    assert "reads sum, which waits for 2 more commits" == plan_of(lab, "below").detail


def test_other_commits_do_not_count(lab: MemoryLab) -> None:
    """Only those that changed the input; the results of the pipeline are none of them."""
    lab.now = NOON
    source = pfs(repo=".", glob="/*", trigger={"commits": 2})
    lab.push({"a": "1", "sum/spec.yml": spec("sum", source)})
    lab.settle()
    lab.push({"sum/README.md": "x"})
    lab.settle()
    assert "waits for 1 more commit" == said(lab)
    lab.push({"b": "2"})
    assert ["in:a", "in:b"] == lab.settle()[1]
    assert "" == said(lab)


def test_size_counts_what_is_new(lab: MemoryLab) -> None:
    """Bytes of new and changed files, since results were made."""
    triggered(lab, size="1k")
    lab.push({"raw/a": "x" * 600})
    assert [] == lab.settle()[1]
    assert "waits for 400 bytes more" == said(lab)
    lab.push({"raw/b": "y" * 400})
    assert {"in:a", "in:b"} <= set(lab.settle()[1])
    lab.push({"raw/c": "z" * 999})
    assert [] == lab.settle()[1]
    assert "waits for 1 bytes more" == said(lab)


def test_a_schedule_takes_what_came_before_it(lab: MemoryLab) -> None:
    """At its time, and nothing where nothing is new; it wakes the planner."""
    triggered(lab, cron_spec="0 2 * * *")
    assert ([], []) == (lab.settle()[1], more(lab, 1))
    assert "waits for 02:00" == said(lab)
    due = lab.plan().triggers["sum"].due
    assert NOON + timedelta(hours=14) == due
    lab.now = NOON + timedelta(hours=13.9)
    assert [] == lab.settle()[1]
    lab.now = due
    assert "in:1" in lab.settle()[1]
    lab.now = NOON + timedelta(hours=40)
    assert ([], "") == (lab.settle()[1], said(lab))


def test_any_condition_is_enough_or_all_are_needed(lab: MemoryLab) -> None:
    """By the field all."""
    triggered(lab, commits=2, cron_spec="0 2 * * *", all=True)
    lab.settle()
    assert "waits for 1 more commit, and 02:00" == said(lab)
    assert [] == more(lab, 1)
    assert "waits for 02:00" == said(lab)
    lab.now = NOON + timedelta(hours=14)
    assert "in:1" in lab.settle()[1]


def test_debounce_waits_until_the_input_is_quiet(lab: MemoryLab) -> None:
    """Each change begins the time anew; a plan without one does not."""
    triggered(lab, debounce="10m")
    assert [] == lab.settle()[1]
    lab.now = NOON + timedelta(minutes=8)
    assert [] == more(lab, 1)
    lab.now = NOON + timedelta(minutes=12)
    lose_everything_but_git(lab)
    assert [] == lab.settle()[1]
    assert "waits until 12:18 for more to come" == said(lab)
    lab.now = NOON + timedelta(minutes=18)
    assert "in:1" in lab.settle()[1]


def two_triggered(lab: MemoryLab, mode: str, first: object, second: object) -> None:
    """A pipeline of two inputs with a trigger each."""
    lab.now = NOON
    source = {
        "union": [
            pfs(repo="raw", name="raw", trigger=first),
            pfs(repo="more", name="more", trigger=second),
        ]
    }
    files = {"raw/.keep": "", "more/.keep": "", "sum/spec.yml": spec("sum", source, triggers=mode)}
    lab.push(files)


def test_of_several_inputs_one_that_fires_is_enough(lab: MemoryLab) -> None:
    """By default; what the others have is read as well, and all count anew."""
    two_triggered(lab, "any", {"commits": 2}, {"commits": 3})
    assert [] == lab.settle()[1]
    assert "waits for 1 more commit; or waits for 2 more commits" == said(lab)
    lab.push({"more/1": "1"})
    assert [] == lab.settle()[1]
    assert {"raw:1", "more:1"} <= set(more(lab, 1))
    lab.push({"more/2": "2"})
    assert [] == lab.settle()[1]
    assert "waits for 2 more commits" == said(lab)


def test_of_several_inputs_all_have_to_fire(lab: MemoryLab) -> None:
    """With ``triggers: all``: one that has enough waits for the other, whatever is lost but git."""
    two_triggered(lab, "all", {"commits": 2}, {"commits": 3})
    assert [] == lab.settle()[1]
    assert "waits for 1 more commit; and waits for 2 more commits" == said(lab)
    assert [] == more(lab, 1)
    lose_everything_but_git(lab)
    assert "waits for 2 more commits" == said(lab)
    lab.push({"more/1": "1"})
    assert [] == lab.settle()[1]
    lab.push({"more/2": "2"})
    assert {"raw:1", "more:1", "more:2"} <= set(lab.settle()[1])
    assert "" == said(lab)
    assert ([], []) == (more(lab, 3), more(lab, 4))
    assert "waits for something new in more" == said(lab)


def test_all_inputs_with_debounce_have_to_be_quiet(lab: MemoryLab) -> None:
    """The planner wakes when the last of them is; a change of one begins its time anew."""
    two_triggered(lab, "all", {"debounce": "10m"}, {"debounce": "30m"})
    assert [] == lab.settle()[1]
    both = "waits until 12:10 for more to come; and waits until 12:30 for more to come"
    assert both == said(lab)
    assert NOON + timedelta(minutes=30) == lab.plan().triggers["sum"].due
    lab.now = NOON + timedelta(minutes=25)
    assert [] == more(lab, 1)
    assert NOON + timedelta(minutes=35) == lab.plan().triggers["sum"].due
    lab.now = NOON + timedelta(minutes=30)
    assert [] == lab.settle()[1]
    assert "waits until 12:35 for more to come" == said(lab)
    lab.now = NOON + timedelta(minutes=35)
    assert "raw:1" in lab.settle()[1]


def test_all_inputs_where_one_has_a_schedule(lab: MemoryLab) -> None:
    """A time that has come counts until the other input has enough."""
    two_triggered(lab, "all", {"cron_spec": "0 2 * * *"}, {"commits": 2})
    lab.settle()
    lab.now = NOON + timedelta(hours=20)
    assert ([], "waits for 1 more commit") == (lab.settle()[1], said(lab))
    lab.push({"more/1": "1"})
    assert "more:1" in lab.settle()[1]


def test_status_says_what_a_trigger_waits_for(lab: MemoryLab) -> None:
    """Such results are as a push leaves them; what else is lacking is told as before."""
    triggered(lab, commits=2)
    lab.settle()
    [found] = check_freshness(lab.dataset, lab.plan().tip)
    assert (True, "waits for 1 more commit") == (found.current, found.waits)
    assert ["waiting"] == [datum.state for datum in found.datums]
    assert "waiting: sum in:.keep  waits for 1 more commit" in list(results_lines([found]))
    more(lab, 1)
    lab.push({"raw/1": None, "raw/2": "2", "sum/in-.keep.txt": None})
    [found] = check_freshness(lab.dataset, lab.plan().tip)
    states = {datum.datum: (datum.state, datum.cause) for datum in found.datums}
    assert {"in:1": ("waiting", ""), "in:2": ("waiting", "")} == {
        name: state for name, state in states.items() if name != "in:.keep"
    }
    assert ("stale", "output") == states["in:.keep"]
    lab.push({"raw/3": "3"})
    [found] = check_freshness(lab.dataset, lab.plan().tip)
    assert ("", False) == (found.waits, found.current)


def test_a_person_starts_what_waits(lab: MemoryLab) -> None:
    """Recorded before it runs; the next data wait again."""
    triggered(lab, commits=9)
    assert ([], []) == (lab.settle()[1], more(lab, 1))
    lab.asked.ticks.append(AskedTick(pipeline="sum", tick="2026-11-30T12:10:00Z"))
    lab.advance()
    lose_everything_but_git(lab)
    assert "in:1" in lab.settle()[1]
    assert [] == more(lab, 2)
    assert "waits for 8 more commits" == said(lab)


def test_another_input_starts_the_pipeline_with_all_there_is(lab: MemoryLab) -> None:
    """And so does another command; then the count begins anew."""
    lab.now = NOON
    source = {"cross": [pfs(trigger={"commits": 3}), pfs("more", name="other")]}
    lab.push({"raw/a": "1", "more/x": "1", "sum/spec.yml": spec("sum", source)})
    assert [] == lab.settle()[1]
    lab.push({"raw/b": "2"})
    lab.settle()
    lab.push({"raw/c": "3"})
    assert 3 == len(lab.settle()[1])
    lab.push({"raw/d": "4"})
    assert [] == lab.settle()[1]
    lab.push({"more/y": "2"})
    assert 5 == len(lab.settle()[1])
    assert "" == said(lab)
    lab.push({"raw/e": "5"})
    assert [] == lab.settle()[1]
    assert "waits for 2 more commits" == said(lab)
    lab.push({"sum/spec.yml": spec("sum", source, cmd=["other"])})
    assert 10 == len(lab.settle()[1])


def test_a_trigger_of_a_pipeline_with_results_counts_from_them(lab: MemoryLab) -> None:
    """Also after the book was lost."""
    lab.now = NOON
    lab.push({"raw/a": "1", "sum/spec.yml": spec("sum", pfs())})
    assert ["in:a"] == lab.settle()[1]
    lab.push({"sum/spec.yml": spec("sum", pfs(trigger={"commits": 2}))})
    assert [] == lab.settle()[1]
    assert [] == more(lab, 1)
    assert "waits for 1 more commit" == said(lab)
    for ref in [ref for ref in lab.dataset.forge if ref.startswith("refs/tea/ticks/")]:
        del lab.dataset.forge[ref]
    lose_everything_but_git(lab)
    assert ["in:1", "in:2"] == more(lab, 2)


def test_a_book_is_written_only_when_something_is_new(lab: MemoryLab) -> None:
    """Plans without a change of the input leave it as it is."""
    triggered(lab, commits=3)
    lab.settle()
    (ref,) = [ref for ref in lab.dataset.forge if ref.startswith("refs/tea/ticks/")]
    before = lab.dataset.forge[ref]
    lab.push({"README.md": "x"})
    lab.now = NOON + timedelta(hours=1)
    lab.settle()
    assert before == lab.dataset.forge[ref]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))]
)
def test_a_week_with_outages_takes_each_file_once(seed: int) -> None:
    """With a schedule each day at 02:00 or five commits, whatever is lost but git."""
    chance = random.Random(seed)
    lab = MemoryLab()
    triggered(lab, commits=5, cron_spec="0 2 * * *")
    computed: list[str] = []
    pushed: list[str] = []
    hour = 0.0
    while hour < 7 * 24:
        hour += chance.choice([0.2, 0.5, 1.0, 5.0, 20.0])
        lab.now = NOON + timedelta(hours=hour)
        if chance.random() < 0.5:
            pushed.append(f"in:{len(pushed)}")
            lab.push({f"raw/{len(pushed) - 1}": str(hour)})
        lab.advance()
        if chance.random() < 0.3:
            lose_everything_but_git(lab)
            lab.advance()
        if chance.random() < 0.8:
            computed += lab.work()
            lab.advance()
    lab.now = NOON + timedelta(days=9)
    computed += lab.settle()[1]
    assert sorted(pushed) == sorted(label for label in computed if label != "in:.keep")


def test_a_subdataset_counts_by_its_pin_and_its_bytes(lab: MemoryLab) -> None:
    """A commit that moves the pin is one; bytes are those of files that differ below it."""
    below = MemoryLab(MemoryDataset("lab/below"))
    below.push({"raw/a": "x" * 600})
    lab.now = NOON
    lab.dataset.subdatasets = MemorySubdatasets(below.dataset)
    source = pfs("sub/raw", trigger={"size": "1k", "commits": 5})
    lab.push(
        {
            ".gitmodules": gitmodules(sub="../below"),
            "sub": Gitlink(below.tip()),
            "sum/spec.yml": spec("sum", source),
        }
    )
    assert [] == lab.settle()[1]
    assert "waits for 4 more commits, or 400 bytes more" == said(lab)
    below.push({"raw/b": "y" * 500})
    lab.push({"sub": Gitlink(below.tip())})
    assert ["in:a", "in:b"] == lab.settle()[1]
    below.push({"raw/c": "z" * 300})
    lab.push({"sub": Gitlink(below.tip())})
    assert [] == lab.settle()[1]
    assert "waits for 4 more commits, or 700 bytes more" == said(lab)


def test_commits_are_counted_on_a_branch_with_results_beside_it() -> None:
    """The results there are upon each tip anew, and no part of the branch."""
    lab = MemoryLab(MemoryDataset(trusted=("main",)))
    lab.now = NOON
    below = {"pfs": {"repo": "copy", "glob": "/*", "trigger": {"commits": 4}}}
    lab.push({"raw/a": "1", "copy/spec.yml": spec("copy", pfs())})
    lab.settle()
    lab.push({"sum/spec.yml": spec("sum", below)}, branch="feature", parent=lab.tip())
    lab.settle("feature")
    for number, left in enumerate(("1 more commit", "")):
        lab.push({f"raw/{number}": "x"}, branch="feature")
        lab.settle("feature")
        lab.dataset.refresh()
        tips = lab.dataset.tips("feature")
        assert tips is not None
        found = lab.advancer().plan(tips.planned, branch="feature").plan.find("sum")
        assert found is not None
        assert left in found.detail
        assert (found.reason == "trigger") == bool(left)


def test_a_history_that_was_replaced_counts_as_one_commit(lab: MemoryLab) -> None:
    """What was seen last is no more below the tip: how often it changed since is not known."""
    triggered(lab, commits=9)
    lab.settle()
    more(lab, 1)
    lab.push({"raw/x": "1"}, branch="other")
    for number in range(4):
        lab.push({f"raw/x{number}": "1"}, branch="other")
    lab.dataset.forge["refs/heads/main"] = lab.push(
        {"sum/spec.yml": spec("sum", pfs(trigger={"commits": 9}))}, branch="other"
    )
    lab.settle()
    assert "waits for 6 more commits" == said(lab)
