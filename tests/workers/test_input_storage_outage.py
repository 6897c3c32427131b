"""A storage of inputs that does not answer is an error of the outside, not missing content."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.workers.conftest import Counting, faulty_lab


@pytest.fixture
def lab(tmp_path: Path, faults: Counting) -> Iterator[Lab]:
    """A dataset with an annexed input, in a storage."""
    with faulty_lab(tmp_path, faults) as made:
        made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        made.push()
        yield made


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(lab)
    yield with_hands
    with_hands.close()


def test_a_job_is_tried_again_when_the_storage_of_its_inputs_is_away(
    lab: Lab, hands: Hands
) -> None:
    """The reason and the next try are on the job; nothing has failed, and nothing is called missing."""
    away = lab.store.with_name("away")
    hands.plan()
    (job,) = hands.site.jobs.waiting()
    hands.worker._runners["lab/data"].repository.refresh()
    hands.worker._runners["lab/data"].repository.prepared_annex()
    shutil.move(lab.store, away)
    for _ in range(3):
        hands.worker(job)
    (facts,) = hands.site.jobs.states([job]).values()
    assert ("waiting", 3) == (facts.state, facts.troubles)
    assert facts.error.startswith("storage store does not answer: ")
    assert facts.next_try
    plan = hands.plan()
    assert plan is not None
    assert set() == plan.missing_at

    shutil.move(away, lab.store)
    hands.site.redis.hdel(redis_keys.job(job), "after")
    hands.work()
    hands.plan()
    assert "settled" == hands.site.runs.latest()[0].state


@pytest.mark.long
def test_content_that_a_storage_does_not_have_is_missing(lab: Lab, hands: Hands) -> None:
    """It answers, and has lost the file."""
    shutil.rmtree(lab.store)
    lab.store.mkdir()
    hands.plan()
    (job,) = hands.work()
    facts = hands.site.jobs.facts([job])[job]
    assert "failed" == facts.state
    plan = hands.plan()
    assert plan is not None
    assert 1 == len(plan.missing_at)


@pytest.mark.long
def test_a_storage_that_never_had_the_file_may_be_away(lab: Lab, hands: Hands) -> None:
    """The file's own storage has lost it: that is told, whatever became of another storage."""
    other = lab.store.with_name("other")
    other.mkdir()
    made = ("type=directory", f"directory={other}", "encryption=none", "autoenable=true")
    lab.git("annex", "initremote", "other", *made)
    uuid = lab.git("config", "remote.other.annex-uuid").strip()
    lab.git("push", "-q", "origin", "git-annex")
    lab.tables = (
        f'[[storage]]\nname = "other"\nuuid = "{uuid}"\ntype = "directory"\n'
        f'[storage.options]\ndirectory = "{other}"\n'
    )
    lab._sites.clear()
    with_both = Hands(lab, "both")
    with_both.plan()
    (job,) = with_both.site.jobs.waiting()
    with_both.worker._runners["lab/data"].repository.refresh()
    with_both.worker._runners["lab/data"].repository.prepared_annex()
    shutil.rmtree(lab.store)
    lab.store.mkdir()
    shutil.move(other, lab.store.with_name("away"))
    with_both.worker(job)
    assert "failed" == with_both.site.jobs.facts([job])[job].state
    with_both.close()
