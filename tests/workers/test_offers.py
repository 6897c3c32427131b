"""Jobs go to workers that can do them; those that no worker can do wait, and say so."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.present import state_words
from tea_runner.present.json_documents import run_document
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.workers.conftest import Counting, faulty_lab
from workers.reconciler import Reconciler

_IMAGE = f"example.org/tool@sha256:{'1' * 64}"
_CONTEXT = "tea-runner/far"
_LACKING = "no worker offers docker or podman"


def _push_image(lab: Lab) -> str:
    """Beside the pipeline ``up``, one with an image; returns the commit."""
    lab.write({"far/spec.yml": spec("far", COPY, transform={"image": _IMAGE})})
    lab.save()
    return lab.push()


def _status(hands: Hands) -> RunStatus:
    (run, *_) = hands.site.runs.latest()
    jobs = hands.site.jobs.facts([job for row in run.pipelines for job in row.jobs])
    return run_status(run, jobs, hands.site.processes.offers())


def _row(name: str, *offers: str) -> ProcessFacts:
    return ProcessFacts(name=name, kind="job", offers=offers)  # type: ignore[arg-type]


def _described(hands: Hands, commit: str) -> str:
    return hands.site.forge.commit_statuses("lab/data", commit)[_CONTEXT][1]


def test_a_worker_without_an_engine_leaves_jobs_with_images_to_others(
    forged: Lab, hands: Hands
) -> None:
    """It does the jobs of its own queue, whose results are published; the other does not fail."""
    _push_image(forged)
    forged.settle()
    assert [f"planned {forged.name} main: its other jobs have ended"] == [
        line for line in hands.reconciler.round() if "jobs" in line
    ]
    forged.work_off()
    (run, *_) = hands.site.runs.latest()
    assert [] == [line for line in hands.reconciler.round() if "jobs" in line]
    assert {"up": "settled", "far": "running"} == {row.name: row.state for row in run.pipelines}
    assert 1 == len(hands.site.jobs.waiting())
    assert 1 == hands.site.queues.length_of("container")
    assert {} == hands.site.consistency.jobs()


@pytest.mark.long
def test_the_run_says_what_no_worker_offers(forged: Lab, hands: Hands) -> None:
    """On the datum, on the pipeline, in JSON and in words, for as long as it is so."""
    _push_image(forged)
    hands.site.processes.beat(_row("here", "host"))
    forged.settle()

    status = _status(hands)
    far = next(row for row in status.pipelines if row.name == "far")
    assert [("no-worker", _LACKING)] == [(each.reason, each.why) for each in far.datums]
    assert [f"1 job waits: {_LACKING}"] == state_words.lack_sentences(status)
    assert [{"reason": _LACKING, "jobs": 1}] == run_document(status)["lacking"]

    hands.site.processes.beat(_row("there", "host", "container"))
    assert () == _status(hands).lacking
    hands.site.redis.delete(redis_keys.processes())
    assert ["1 job waits: no worker runs"] == state_words.lack_sentences(_status(hands))


@pytest.mark.long
def test_the_commit_status_says_it_and_takes_it_back(forged: Lab, hands: Hands) -> None:
    """The reconciler has the branch planned again when workers come or go."""
    commit = _push_image(forged)
    hands.site.processes.beat(_row("here", "host"))
    reconciler = Reconciler(hands.site)
    forged.settle()
    reconciler.round()
    forged.work_off()
    assert f"1 to run; {_LACKING}" == _described(hands, commit)

    hands.site.processes.beat(_row("there", "container"))
    assert [f"planned {forged.name} main: its jobs wait for other workers now"] == [
        line for line in reconciler.round() if "workers" in line
    ]
    forged.work_off()
    assert "1 to run" == _described(hands, commit)
    assert not [line for line in reconciler.round() if "workers" in line]


def test_a_job_in_the_queue_of_another_need_is_handed_over(forged: Lab, hands: Hands) -> None:
    """A planner of a former version put it there: nothing failed, and it waits where it belongs."""
    _push_image(forged)
    hands.plan()
    jobs = hands.site.jobs.live().values()
    (job,) = [facts.id for facts in jobs if facts.needs == "container"]
    hands.site.redis.hdel(redis_keys.job(job), "needs", "repository")

    hands.worker(job)

    facts = hands.site.jobs.facts([job])[job]
    assert ("waiting", "container") == (facts.state, facts.needs)
    assert {} == facts.failures


def test_workers_of_former_versions_can_read_jobs_of_the_host(forged: Lab, hands: Hands) -> None:
    """The sealed text has no field that they do not know."""
    hands.plan()
    (job,) = hands.site.jobs.waiting()
    body = json.loads(json.loads(hands.site.jobs.get(job)["body"])["body"])
    assert "needs" not in body


def test_a_worker_of_a_former_version_counts(hands: Hands) -> None:
    """It has no row of its own: RQ's notes say which queue it listens to."""
    assert set() == hands.site.processes.offers()
    name = redis_keys.rq_worker("worker-old-1")
    hands.site.redis.sadd(redis_keys.rq_workers("tea-job"), name)
    assert set() == hands.site.processes.offers()
    hands.site.redis.hset(name, "birth", "x")
    assert {"host"} == hands.site.processes.offers()


def test_a_process_that_is_silent_is_gone(hands: Hands) -> None:
    """By the clock of Redis; a worker that ends takes its row along."""
    hands.site.processes.beat(_row("one", "host"))
    hands.site.processes.beat(_row("two", "host"))
    hands.site.processes.leave("two")
    assert ["one"] == [each.name for each in hands.site.processes.all()]
    raw = hands.site.redis.hget(redis_keys.processes(), "one")
    row = {**json.loads(raw or b""), "heard": time.time() - 60}
    hands.site.redis.hset(redis_keys.processes(), "one", json.dumps(row))
    assert [] == hands.site.processes.all()


@pytest.mark.engine
def test_a_worker_that_lacks_an_image_gives_the_job_back(tmp_path: Path, faults: Counting) -> None:
    """Another worker may have the image: nothing fails for good, and the reason names the worker."""
    with faulty_lab(tmp_path, faults) as lab:
        lab.settings = 'environments = ["host", "podman"]\n'
        lab.tables = '[images]\npull = "never"\n'
        lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n"})
        with contextlib.closing(Hands(lab)) as hands:
            _push_image(lab)
            hands.plan()
            (job,) = hands.work()
            facts = hands.site.jobs.facts([job])[job]
            assert ("waiting", {}) == (facts.state, facts.failures)
            assert facts.error.startswith(f"on {hands.worker.name}: ")
            assert "the image is not on this machine" in facts.error
