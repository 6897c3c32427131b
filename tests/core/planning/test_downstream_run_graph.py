"""The runs that a push led to in other repositories."""

from __future__ import annotations

from tea_runner.core.planning.downstream_run_graph import cascade
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.results.run_record import parse_causes

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


def _run(name: str, commit: str, results: str = "", **more: list[str]) -> Run:
    rows = [PipelineRun(name="p", state="settled", commit=results)] if results else []
    return Run(
        id=name, repository=f"lab/{name}", branch="main", commit=commit, pipelines=rows, **more
    )


def test_runs_follow_by_the_commits_that_moved_their_pins() -> None:
    """From a pushed commit or from a results commit; others with the same cause are not below it."""
    first = _run("raw", A, results=B)
    second = _run("data", C, results=D, causes=[A], pins=[f"lab/raw@{B}"])
    third = _run("last", "e" * 40, causes=[A], pins=[f"lab/data@{D}"])
    beside = _run("other", "f" * 40, causes=[A], pins=["lab/unknown@" + "1" * 40])
    strange = _run("strange", "2" * 40, causes=["3" * 40], pins=[f"lab/raw@{B}"])
    known = [third, strange, beside, second, first]

    found = cascade(first, known)
    assert ["raw", "data", "last"] == sorted(
        (r.id for r in found.runs), key=["raw", "data", "last"].index
    )
    assert ["raw"] == found.upstream["data"]
    assert ["data"] == found.upstream["last"]
    below = cascade(second, known)
    assert {"data", "last"} == {run.id for run in below.runs}
    assert ["other"] == [run.id for run in cascade(beside, known).runs]


def test_only_whole_ids_are_causes() -> None:
    """Anybody can write a message; a results commit names sixteen at most."""
    said = (
        f"x\n\nTea-Cause: {B}\nTea-Cause: {A}\nTea-Cause: {A}\nTea-Cause: abc\nTea-Cause: {A} x\n"
    )
    assert (A, B) == parse_causes(said)
    many = "".join(f"Tea-Cause: {n:040x}\n" for n in range(99))
    assert 16 == len(parse_causes(many))
