"""Whom a server lets go of is gone, at once and whole: nothing grows with all that it ever saw."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.dataset.mirror import Mirror
from tests.e2e.conftest import folder_lab
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.garbage import sweep


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with one pipeline that was pushed."""
    made = folder_lab(tmp_path)
    made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    made.push()
    yield made
    made.close()


@pytest.fixture
def by_count_alone() -> Iterator[None]:
    """No collector looks for cycles: it does so seldom in a server."""
    sweep()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("by_count_alone")
def test_a_closed_repository_leaves_nothing_in_memory(lab: Lab) -> None:
    """Planner and worker keep the latest repositories open; what they close is no part of a cycle."""
    hands = Hands(lab)
    hands.plan()
    hands.work()
    hands.plan()
    held: list[Any] = [hands.planner._repositories[lab.name], hands.worker._runners[lab.name]]
    watched = [weakref.ref(each.repository) for each in held]
    watched += [weakref.ref(each.repository.mirror) for each in held]
    watched.append(weakref.ref(held[0].planner))
    hands.close()
    del held
    assert [None] * 5 == [each() for each in watched]


@pytest.mark.long
def test_a_repository_that_is_gone_is_forgotten_by_the_reconciler(lab: Lab) -> None:
    """Its mirror was of use while it was watched."""
    lab.watched = "lab/*"
    hands = Hands(lab)
    sweep()
    before = _mirrors()
    hands.reconciler.round()
    assert before + 1 == _mirrors()
    shutil.rmtree(lab.root / "forge" / "lab" / "data.git")
    hands.reconciler.round()
    sweep()
    assert before == _mirrors()
    hands.close()


def _mirrors() -> int:
    return sum(isinstance(each, Mirror) for each in gc.get_objects())
