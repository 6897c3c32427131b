"""``sandbox.identity``: the software that commands of the host see, in keys, manifests and lineage."""

from __future__ import annotations

from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.planning_cache import PlanningCache
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, reasons
from tests.twins.queries import check


def planned_with(lab: MemoryLab, software: str) -> None:
    """A planner of an operator who says so."""
    lab.planner = IncrementalPlanner(PlanningCache(software=software))


def test_another_software_computes_again(lab: MemoryLab) -> None:
    """With its reason; the manifest tells with which software results were made."""
    lab.push(TWO)
    planned_with(lab, "lab-1")
    lab.settle()
    assert "software" in lab.text("copy/manifest.tsv")
    assert "lab-1" in lab.text("copy/manifest.tsv")

    planned_with(lab, "lab-2")
    assert {("run", "environment-changed")} == set(reasons(lab).values())
    planned_with(lab, "lab-1")
    assert {("current", "current")} == set(reasons(lab).values())


def test_without_a_word_keys_are_as_they_were(lab: MemoryLab) -> None:
    """Nothing is computed again where nobody says anything."""
    lab.push(TWO)
    lab.settle()
    planned_with(lab, "")
    assert {("current", "current")} == set(reasons(lab).values())


def test_results_are_verified_where_the_software_is_not(lab: MemoryLab) -> None:
    """Keys are derived with what the manifest records."""
    lab.push(TWO)
    planned_with(lab, "lab-1")
    lab.settle()
    assert not check(lab, lab.tip()).problems


def test_jobs_say_which_software_they_need(lab: MemoryLab) -> None:
    """Workers that have another one refuse them."""
    lab.push(TWO)
    planned_with(lab, "lab-1")
    lab.advance()
    assert {"lab-1"} == {job.software for job in lab.queue.jobs()}
