"""Jobs get what their pipelines request: they wait for a worker that has it, and never share what is full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.core.planning.run_status import run_status
from tea_runner.core.planning.worker_requirement import class_text
from tea_runner.core.resource_demand import OfferedResources, ResourceDemand
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.workers.conftest import Counting, faulty_lab
from workers.fitting_job_classes import ConsumableClasses

_GPU = {"resource_requests": {"gpu": {"type": "nvidia.com/gpu", "number": 1}}}
_HUNGRY = "python3 -c 'import time; x = bytearray(90 << 20); time.sleep(0.3)' && echo done > $PFS/out/a.txt"


def _fill(lab: Lab, document: dict[str, object], command: str = COPY) -> Lab:
    files = {"raw/a.txt": "a\n", "up/spec.yml": spec("up", command, **document)}
    lab.create(files={**ATTRIBUTES, **files})
    lab.push()
    return lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty lab on the embedded forge."""
    with faulty_lab(tmp_path, Counting()) as made:
        yield made


def _beat(hands: Hands, name: str, resources: OfferedResources) -> None:
    hands.site.processes.beat(
        ProcessFacts(name=name, kind="job", offers=("host",), resources=resources)
    )


def test_a_job_waits_for_a_worker_with_a_graphics_processor(lab: Lab) -> None:
    """The run says what no worker offers, and says it no more when one does."""
    _fill(lab, _GPU)
    hands = Hands(lab)
    _beat(hands, "small", OfferedResources(cpus=4))
    hands.plan()
    (run, *_) = hands.site.runs.latest()
    jobs = hands.site.jobs.facts([job for row in run.pipelines for job in row.jobs])
    status = run_status(run, jobs, hands.site.processes.offers())
    assert ["no worker offers gpu"] == [lack.reason for lack in status.lacking]
    (datum,) = status.pipelines[0].datums
    assert ("waiting", "no-worker", "no worker offers gpu") == (
        datum.state,
        datum.reason,
        datum.why,
    )
    assert "no worker offers gpu" in str(hands.site.forge.commit_statuses(lab.name, run.commit))
    worker_class = class_text("host", ResourceDemand(gpu=1))
    assert 1 == hands.site.queues.length_of(worker_class)
    assert ["host"] == ConsumableClasses(hands.site.queues, hands.site.ledger, lambda: ("host",))()
    hands.reconciler.round()
    _beat(hands, "large", OfferedResources(cpus=4, gpus=1))
    assert any("its jobs wait for other workers now" in each for each in hands.reconciler.round())
    assert () == run_status(run, jobs, hands.site.processes.offers()).lacking
    hands.close()


def test_a_worker_with_it_does_the_job(lab: Lab) -> None:
    """One that offers a graphics processor and a label takes it, and one without leaves it."""
    _fill(
        lab,
        {**_GPU, "metadata": {"labels": {"worker": "big", "team": "any words at all"}}},
    )
    run = lab.settle()
    assert run is not None
    assert "running" == run.pipelines[0].state
    lab.tables += '[worker]\noffers = {gpus = 2, labels = ["big"]}\n'
    run = lab.settle("large")
    assert run is not None
    assert "settled" == run.pipelines[0].state, run
    assert lab.site("large").ledger.fits_now(ResourceDemand(gpu=2))


def test_a_command_that_needs_more_memory_runs_again_with_it(lab: Lab) -> None:
    """From what it requests to what it may use, and the page and the log say so."""
    memory = {"resource_requests": {"memory": "40Mi"}, "resource_limits": {"memory": "160Mi"}}
    _fill(lab, memory, _HUNGRY)
    run = lab.settle()
    assert run is not None
    assert "settled" == run.pipelines[0].state, run
    site, (job,) = lab.site(), run.pipelines[0].jobs
    (measures,) = site.measures.get([job])[job]
    assert 160 << 20 == measures.raised_memory
    head: Any = site.redis.get(redis_keys.log_head(job))
    assert b"40 MiB of memory were not enough; trying again with 80 MiB" in head
    assert b"80 MiB of memory were not enough; trying again with 160 MiB" in head


def test_a_large_job_is_not_kept_waiting_for_ever(lab: Lab) -> None:
    """After half a minute, no other job with a demand begins until it fits."""
    _fill(lab, {"resource_requests": {"cpu": 4}})
    lab.tables += "[worker]\noffers = {cpus = 4}\n"
    hands, now = Hands(lab), [0.0]
    hands.plan()
    small, large = (class_text("host", ResourceDemand(cpu=each)) for each in (1, 4))
    hands.site.redis.zadd(redis_keys.job_classes(), {small: time.time()})
    ledger = hands.site.ledger
    classes = ConsumableClasses(hands.site.queues, ledger, lambda: ("host",), lambda: now[0])
    assert ["host", small, large] == classes()
    held = ledger.reserve(ResourceDemand(cpu=1))
    assert held is not None
    assert ["host", small] == classes()
    now[0] = 31.0
    assert ["host"] == classes()
    held.release()
    assert ["host", large] == [each for each in classes() if each != small]
    hands.close()


@pytest.mark.parametrize(
    ("offers", "most"), [("{cpus = 2}", 2), ("{cpus = 1}", 1)], ids=["two", "one"]
)
def test_reservations_follow_the_operators_word(lab: Lab, offers: str, most: int) -> None:
    """What the settings say counts, not what the machine has."""
    _fill(lab, {})
    lab.tables += f"[worker]\noffers = {offers}\n"
    ledger = lab.site().ledger
    held = [ledger.reserve(ResourceDemand(cpu=1)) for _ in range(most + 1)]
    assert [True] * most + [False] == [each is not None for each in held]
