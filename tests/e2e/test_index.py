"""The index of known results can be deleted at any time: made again from git, it answers the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

import pytest

from tea_runner.dataset.forge_dataset import ForgeDataset
from tests.cli.conftest import dataset, settled  # noqa: F401 - fixtures
from tests.cli.dataset import Dataset, tea
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, push, spec

Counted = tuple[str, Callable[[], int]]


def begin(lab: Lab, counted: Counted) -> Callable[[], int]:
    """A dataset with two files and a pipeline that copies them, settled."""
    echo, count = counted
    files = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "up/spec.yml": spec("up", f"{echo}; {COPY}")}
    lab.create(files={**ATTRIBUTES, **files})
    assert Step(2, True, "settled") == push(lab, count)
    return count


def answers(repository: ForgeDataset) -> dict[str, object]:
    """Each key of each scope, with where its result stands and what it is."""
    index = repository.index
    index.update()
    with sqlite3.connect(index.path) as database:
        keys = [row[0] for row in database.execute("SELECT DISTINCT key FROM known")]
    return {
        f"{scope} {key}": index.find([key], scope) for scope in index.scopes for key in sorted(keys)
    }


def table(repository: ForgeDataset) -> list[tuple[object, ...]]:
    """What stands in the index of trusted branches."""
    with sqlite3.connect(repository.index.path) as database:
        return database.execute("SELECT * FROM known WHERE scope = '' ORDER BY key").fetchall()


@pytest.mark.long
def test_an_index_made_again_is_the_index_that_grew(lab: Lab, counted: Counted) -> None:
    """Pushes, branches and going back, learnt one by one: the rebuilt tables and answers are equal."""
    count = begin(lab, counted)
    repository = lab.site().repository(lab.name)
    for text in ("x\n", "y\n", "a\n"):
        push(lab, count, {"raw/a.txt": text})
        repository.refresh()
        repository.index.update()
    lab.git("switch", "-q", "-c", "feature", "HEAD~2")
    push(lab, count, {"raw/b.txt": "feature\n"}, branch="feature")
    repository.refresh()
    grown, rows = answers(repository), table(repository)
    assert 2 == len(repository.index.scopes)
    assert len(rows) == 4

    repository.index.rebuild()
    assert rows == table(repository)
    assert grown == answers(repository)
    assert all(answers(repository).values())
    repository.close()


@pytest.mark.long
def test_what_was_pushed_away_stays_known_after_a_rebuild(lab: Lab, counted: Counted) -> None:
    """A forced push drops the results commit; the server still knows it, and computes nothing."""
    count = begin(lab, counted)
    lab.git("reset", "-q", "--hard", "HEAD~1")
    lab.git("commit", "-q", "--amend", "-m", "other words")
    lab.push("--force")
    lab.settle()
    repository = lab.site().repository(lab.name)
    grown = answers(repository)
    repository.index.rebuild()
    rows = table(repository)
    assert grown == answers(repository)
    repository.close()

    assert 2 == len(rows)
    assert 0 == count()
    assert "a\n" == lab.git("show", f"{lab.pull()}:up/a.txt")


@pytest.mark.long
def test_a_deleted_or_damaged_index_costs_nothing_but_time(lab: Lab, counted: Counted) -> None:
    """Without its file, and with rubbish in its place, the next push still computes only what is new."""
    count = begin(lab, counted)
    push(lab, count, {"raw/a.txt": "x\n"})
    repository = lab.site().repository(lab.name)
    path = repository.index.path
    repository.close()
    for damage in (path.unlink, lambda: path.write_bytes(b"rubbish" * 1000)):
        lab._planner.close()  # type: ignore[union-attr]
        lab._planner = None
        for worker in lab._workers.values():
            worker.close()
        lab._workers.clear()
        damage()
        text = "a\n" if damage == path.unlink else "x\n"
        assert Step(0, True, "settled") == push(lab, count, {"raw/a.txt": text})


@pytest.mark.long
def test_the_verb_counts_and_makes_again(settled: Dataset) -> None:  # noqa: F811
    """In a clone, ``index show`` and ``index rebuild`` tell the same numbers."""
    shown = json.loads(tea(settled.path, "index", "show", "--json").out)
    made = json.loads(tea(settled.path, "index", "rebuild", "--json").out)

    assert shown == made
    assert 3 == made[0]["results"]
    assert "3 known results from" in settled.tea("index", "rebuild").out
