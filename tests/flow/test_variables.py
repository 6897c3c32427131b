"""Variables: values that a person sets are recorded, in keys and in the manifest, and stay."""

from __future__ import annotations

from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.recorded_environment import recorded_variables
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.read_manifest import read_manifest
from tests.twins.lab import MemoryLab
from tests.twins.plans import reasons
from tests.twins.queries import check
from tests.twins.queue import MemoryBroker, MemoryJobQueue
from tests.twins.specs import pfs, spec

_YEAR = {"name": "year", "type": "integer", "default": 2025}


def declared(lab: MemoryLab, **more: object) -> None:
    """A pipeline with a variable is pushed, and its results are published."""
    lab.push({"raw/a": "1", "sum/spec.yml": spec("sum", pfs(), vars=[_YEAR], **more)})
    assert ["in:a"] == lab.settle()[1]


def ask(lab: MemoryLab, **variables: str) -> None:
    """A person starts the pipeline."""
    values = tuple(sorted(variables.items()))
    asked = AskedTick(pipeline="sum", tick="2026-11-30T12:10:00Z", variables=values)
    lab.asked.ticks.append(asked)


def keys(lab: MemoryLab) -> list[str]:
    """The keys of the published results."""
    return [row.key for row in read_manifest(lab.view().tree, "sum").rows]


def message(lab: MemoryLab) -> str:
    """The run record of the published results."""
    return lab.dataset.objects.commit(lab.tip()).message


def test_a_value_computes_anew_and_stays(lab: MemoryLab) -> None:
    """Later pushes have it too; a start without values goes back to the defaults, which are known."""
    declared(lab)
    first = keys(lab)
    ask(lab, year="2026")
    assert ["in:a"] == lab.settle()[1]
    second = keys(lab)
    assert first != second
    assert {"year": "2026"} == recorded_variables(read_manifest(lab.view().tree, "sum"))
    lab.push({"raw/b": "2"})
    assert ["in:b"] == lab.settle()[1]
    assert second == keys(lab)[:1]
    ask(lab)
    assert ["in:b"] == lab.settle()[1]
    assert first == keys(lab)[:1]
    assert {} == recorded_variables(read_manifest(lab.view().tree, "sum"))


def test_a_plan_says_which_value_is_new(lab: MemoryLab) -> None:
    """As the reason of each datum."""
    declared(lab)
    ask(lab, year="2026")
    lab.advance()
    decisions = lab.plan().plan.pipelines[0].decisions
    assert [("parameters-changed", "year=2026")] == [(d.reason, d.detail) for d in decisions]
    assert {"in:a": ("run", "parameters-changed")} == reasons(lab, "sum")


def test_a_value_is_in_git_before_anything_runs(lab: MemoryLab) -> None:
    """A planner with an empty Redis plans the same again."""
    declared(lab)
    ask(lab, year="2026")
    lab.advance()
    planned = [job.id for job in lab.queue.jobs()]
    assert ([], 1) == (lab.asked.ticks, len(planned))
    lab.broker = MemoryBroker()
    lab.queue = MemoryJobQueue(lab.broker)
    lab.planner = IncrementalPlanner()
    lab.advance()
    assert planned == [job.id for job in lab.queue.jobs()]
    assert (("year", "2026"),) == lab.queue.jobs()[0].variables


def test_a_lost_book_goes_on_from_the_results(lab: MemoryLab) -> None:
    """The manifest says which values its results have."""
    declared(lab)
    ask(lab, year="2026")
    lab.settle()
    for ref in [ref for ref in lab.dataset.forge if ref.startswith("refs/tea/ticks/")]:
        del lab.dataset.forge[ref]
    lab.planner = IncrementalPlanner()
    assert [] == lab.settle()[1]
    lab.push({"raw/b": "2"})
    assert ["in:b"] == lab.settle()[1]


def test_a_commit_with_values_is_verified_without_the_book(lab: MemoryLab) -> None:
    """From its manifest and the pipeline file alone."""
    declared(lab)
    ask(lab, year="2026")
    lab.settle()
    assert [] == check(lab).problems


def test_the_record_names_where_a_command_fetches_from(lab: MemoryLab) -> None:
    """As a trailer, with the values of variables; the commit is verified with it."""
    declared(lab, transform={"network": True}, cmd=["curl", "https://example.org/$year.csv"])
    assert "\nTea-Source: https://example.org/2025.csv\n" in message(lab)
    ask(lab, year="2026")
    lab.settle()
    assert "\nTea-Source: https://example.org/2026.csv\n" in message(lab)
    assert [] == check(lab).problems


def test_a_value_that_the_file_does_not_allow_does_not_count(lab: MemoryLab) -> None:
    """Neither when it comes, nor after the file has changed."""
    declared(lab)
    ask(lab, year="soon", other="1")
    assert [] == lab.settle()[1]
    ask(lab, year="2026")
    lab.settle()
    lab.push({"sum/spec.yml": spec("sum", pfs(), vars=[{"name": "month", "default": "May"}])})
    assert ["in:a"] == lab.settle()[1]
    assert {} == recorded_variables(read_manifest(lab.view().tree, "sum"))


def test_equal_values_are_one(lab: MemoryLab) -> None:
    """007 is 7, and nothing is computed again."""
    declared(lab)
    ask(lab, year="02025")
    assert [] == lab.settle()[1]


def test_results_have_the_last_word(lab: MemoryLab) -> None:
    """A value leaves the book once results have it: what another machine publishes later counts."""
    declared(lab)
    ask(lab, year="2026")
    lab.advance()
    assert {"sum": {"year": "2026"}} == lab.dataset.tick_book("main").variables
    lab.settle()
    assert {} == lab.dataset.tick_book("main").variables
    ask(lab)
    lab.settle()
    assert {} == lab.dataset.tick_book("main").variables
    assert {} == recorded_variables(read_manifest(lab.view().tree, "sum"))
