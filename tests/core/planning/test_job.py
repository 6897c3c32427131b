"""Jobs: who they are, how datums are cut into them, and that only the planner writes them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.errors import Refused
from tea_runner.core.planning.job import Job, Throughput, batch_datums, seal_job, unseal_job
from tea_runner.core.planning.plan import Decision

JOB = Job(
    repository="lab/data",
    branch="main",
    commit="1" * 40,
    pipeline="up",
    datums=(("in:\udcff", "k"),),
)


def decisions(number: int) -> list[Decision]:
    """So many datums that have to run."""
    return [Decision(f"in:{n}", f"{n * 7 % 1000:04}{n}", "", "run", "new") for n in range(number)]


def test_a_job_is_its_datums() -> None:
    """Branch, commit and labels say nothing; keys, repository, scope and salt say who it is."""
    assert JOB.id == replace(JOB, branch="b", commit="2" * 40, datums=(("x", "k"),)).id
    others = [
        replace(JOB, repository="a/b"),
        replace(JOB, salt="1"),
        replace(JOB, scope="s"),
        replace(JOB, datums=(("x", "l"),)),
    ]
    assert 5 == len({JOB.id, *(other.id for other in others)})


def test_a_sealed_job_comes_back() -> None:
    """All fields, odd bytes included."""
    assert JOB == unseal_job(seal_job(JOB, b"secret"), b"secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[" * 100_000,
        json.dumps({"body": "{}", "mac": "ä"}),
        json.dumps({"body": 1, "mac": "x"}),
        seal_job(JOB, b"other"),
        seal_job(JOB, b"secret").replace("main", "evil"),
    ],
)
def test_what_the_planner_did_not_write_is_refused(text: str) -> None:
    """Other text, another secret, one changed word: an error of ours and nothing else."""
    with pytest.raises(Refused, match="a job in the queue"):
        unseal_job(text, b"secret")


@given(st.integers(0, 3000), st.one_of(st.none(), st.integers(1, 50)))
def test_every_datum_is_in_one_set(number: int, size: int | None) -> None:
    """No datum is lost or doubled; sets are as large as was said, or single up to 64 datums."""
    sets = batch_datums(decisions(number), number=size)
    keys = [decision.key for each in sets for decision in each]

    assert sorted(decision.key for decision in decisions(number)) == keys
    assert all(sets)
    assert max(map(len, sets), default=0) <= (size or (1 if number <= 64 else 500))


@pytest.mark.parametrize(
    ("number", "more", "expected"),
    [
        (6, {}, [1, 1, 1, 1, 1, 1]),
        (6, {"number": 4}, [4, 2]),
        (6, {"most": 1}, [6]),
        (6, {"most": 4}, [2, 2, 2]),
        (6, {"most": 2, "number": 1}, [3, 3]),
        (6, {"size_bytes": 20}, [2, 2, 2]),
        (6, {"size_bytes": 20, "number": 1}, [1, 1, 1, 1, 1, 1]),
        (6, {"size_bytes": 10, "most": 2}, [3, 3]),
        (6, {"size_bytes": 1, "most": 1}, [6]),
        (5, {"size_bytes": 20, "most": 2}, [4, 1]),
        (0, {"size_bytes": 1, "most": 1}, []),
    ],
)
def test_sets_are_as_large_as_the_pipeline_says(
    number: int, more: dict[str, int], expected: list[int]
) -> None:
    """By number, by bytes (ten each here), and never more sets than ``parallelism_spec`` allows."""
    sets = batch_datums(decisions(number), bytes_of=lambda _: 10, **more)  # type: ignore[arg-type]
    assert expected == [len(each) for each in sets]


def test_where_all_room_is_taken_nothing_is_cut() -> None:
    """A cap that the jobs under way have used up leaves no set."""
    assert [] == batch_datums(decisions(5), most=0)


def test_the_same_datums_are_cut_alike() -> None:
    """The order in which they come says nothing, so that two planners make the same jobs."""
    assert batch_datums(decisions(200), number=None) == batch_datums(
        decisions(200)[::-1], number=None
    )


@pytest.mark.parametrize(
    ("number", "seconds", "workers", "expected"),
    [
        (12, 0.5, 1, [4, 4, 4]),
        (48, 0.5, 4, [4] * 12),
        (10, 0.5, 4, [3, 3, 3, 1]),
        # One repository takes one push at a time: with many workers each job takes longer.
        (768, 0.5, 64, [12] * 64),
        (12_000, 0.5, 1000, [12] * 1000),
        (128, 5.0, 64, [1] * 128),
        (4000, 0.0001, 2, [500] * 8),
    ],
)
def test_jobs_of_known_pace_take_a_while_and_every_worker_gets_as_many(
    number: int, seconds: float, workers: int, expected: list[int]
) -> None:
    """Two seconds, or a tenth of a second for each worker where that is more."""
    sets = batch_datums(decisions(number), throughput=Throughput(seconds, workers))
    assert expected == [len(each) for each in sets]
