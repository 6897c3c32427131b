"""A push of the git-annex branch alone has the branches planned that wait for content, or failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.workers.conftest import Counting, faulty_lab

_REQUEST = json.dumps(["lab/data", "git-annex"])


@pytest.fixture
def lab(tmp_path: Path, faults: Counting) -> Iterator[Lab]:
    """A dataset with an annexed input."""
    with faulty_lab(tmp_path, faults) as made:
        made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        yield made


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(lab)
    yield with_hands
    with_hands.close()


def _requested(hands: Hands) -> list[tuple[str, str]]:
    return [
        redis_keys.split_branch_id(each)
        for each in hands.site.redis.hkeys(redis_keys.plan_requests())
    ]


def _push_without_content(lab: Lab) -> None:
    lab.git("push", "-q", "origin", "main", "git-annex")


@pytest.mark.long
def test_a_branch_that_waits_for_content_is_planned(lab: Lab, hands: Hands) -> None:
    """Somebody uploads it later, and pushes where it is."""
    _push_without_content(lab)
    hands.plan()
    hands.work()
    hands.plan()
    assert [] == _requested(hands)
    lab.git("annex", "copy", "-q", "--to", "store")
    lab.git("push", "-q", "origin", "git-annex")
    hands.planner(_REQUEST)

    assert [("lab/data", "main")] == _requested(hands)
    hands.plan()
    hands.work()
    hands.plan()
    assert "settled" == hands.site.runs.latest()[0].state


@pytest.mark.long
def test_a_branch_whose_last_run_failed_is_planned(lab: Lab, hands: Hands) -> None:
    """Storages are described in that branch; nothing runs again without a change."""
    lab.write({"up/spec.yml": spec("up", "exit 3")})
    lab.save()
    lab.push()
    hands.plan()
    hands.work()
    hands.plan()
    assert "failed" == hands.site.runs.latest()[0].state
    hands.planner(_REQUEST)
    assert [("lab/data", "main")] == _requested(hands)
    hands.plan()
    assert [] == hands.work()


@pytest.mark.long
def test_no_branch_is_planned_that_succeeded(lab: Lab, hands: Hands) -> None:
    """Each push of results moves the git-annex branch, too."""
    lab.push()
    hands.plan()
    hands.work()
    hands.plan()
    hands.planner(_REQUEST)
    assert [] == _requested(hands)


@pytest.mark.long
def test_the_reconciler_sees_the_push_too(lab: Lab, hands: Hands) -> None:
    """Deliveries get lost."""
    lab.write({"up/spec.yml": spec("up", "exit 3")})
    lab.save()
    lab.push()
    hands.plan()
    hands.work()
    hands.plan()
    hands.reconciler.round()
    assert [] == _requested(hands)
    place = f"directory={lab.store}"
    lab.git("annex", "enableremote", "store", place, "autoenable=false")
    lab.git("push", "-q", "origin", "git-annex")
    hands.reconciler.round()
    assert [("lab/data", "git-annex")] == _requested(hands)
