"""A real Redis and a site on it, with rows that planners and workers would have left."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.job_store import Claim
from tea_runner.broker.recent_trigger_events import ListedEvent
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.run import PipelineRun, Run, run_id
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.settings import load_settings
from tea_runner.wiring import Site

REPOSITORY = "lab/edges"
COMMIT = "4bb71d674bc20617b13042dfcd1f64d75949cb69"
RESULTS = "9d0c1f5e3a7b2468ace013579bdf02468ace1357"
RUN = run_id(REPOSITORY, "main", COMMIT)
EVENT = ListedEvent(
    trigger="t",
    kind="webhook",
    repository=REPOSITORY,
    branch="main",
    event="1",
    received=1.0,
    outcome="planned",
)


@pytest.fixture(scope="session")
def broker() -> Iterator[RedisServer]:
    """One Redis server for all tests of a process."""
    with tempfile.TemporaryDirectory(prefix="tea-") as folder:
        server = RedisServer(Path(folder), {"PATH": os.environ["PATH"]})
        server.start()
        yield server
        server.stop()


@pytest.fixture
def site(broker: RedisServer, tmp_path: Path) -> Iterator[Site]:
    """The parts, with nothing in Redis yet."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    yield site
    site.redis.close()


def make_site(broker: RedisServer, state: Path, **flags: object) -> Site:
    """A site on this Redis; *flags* with ``__`` for the dot."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(state)}
    given: dict[str, object] = {
        "state": str(state / "state"),
        "redis.url": broker.url,
        "forge.url": "http://forge.example:3000",
    }
    given.update({name.replace("__", "."): value for name, value in flags.items()})
    return Site(load_settings(file=None, env=variables, flags=given), variables)


def process_env(broker: RedisServer, state: Path) -> dict[str, str]:
    """Variables of a ``tea-runner`` process on this Redis, without a sandbox."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "TEA_RUNNER_STATE": str(state / "s"),
        "TEA_RUNNER_REDIS__URL": broker.url,
        "TEA_RUNNER_FORGE__URL": "http://forge.example:3000",
        "TEA_RUNNER_SANDBOX__KIND": "off",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def plan_to_end(site: Site, repository: str, tip: str, **more: Any) -> None:
    """What a planner leaves behind that had nothing to do."""
    with site.plan_requests.lock(repository, "main") as mine:
        assert site.plan_requests.complete(repository, "main", tip, mine, **more)


def make_job(number: int = 1, *labels: str, pipeline: str = "edges") -> Job:
    """A job whose keys are made from its number."""
    names = labels or (f"images:{number}.jpg",)
    datums = tuple((label, f"{number:032x}{each:032x}") for each, label in enumerate(names))
    return Job(
        repository=REPOSITORY, branch="main", commit=COMMIT, pipeline=pipeline, datums=datums
    )


def save(
    site: Site,
    jobs: list[Job],
    *,
    state: str = "running",
    commit: str = COMMIT,
    branch: str = "main",
    **words: object,
) -> Run:
    """A run of ``edges`` with a datum for each of the jobs' and three reused ones, and ``montage``."""
    rows = [
        DatumRow(
            label,
            key,
            "done" if state == "settled" else "run",
            "new",
            "it had not been computed before",
        )
        for job in jobs
        for label, key in job.datums
    ]
    rows += [DatumRow(f"images:old{n}.jpg", f"{n:064d}", "current", "current") for n in range(3)]
    edges = PipelineRun(
        name="edges",
        state=state,
        commit=RESULTS if state == "settled" else "",
        jobs=[job.id for job in jobs],
        datums=rows,
        home="edges",
        signer="tea-runner@lab" if state == "settled" else "",
    )
    montage = PipelineRun(
        name="montage",
        state={"settled": "settled", "running": "waiting"}.get(state, "blocked"),
        unlisted=1 if state == "settled" else 0,
        reason={"settled": "", "running": "upstream"}.get(state, "blocked-by-failure"),
        detail="" if state == "settled" else "edges",
        upstream=["edges"],
        home="montage",
    )
    given: dict[str, object] = {"title": "Add photographs", "author": "Ada", **words}
    run = Run(
        id=run_id(REPOSITORY, branch, commit),
        repository=REPOSITORY,
        branch=branch,
        commit=commit,
        pipelines=[edges, montage],
        **given,  # type: ignore[arg-type]
    )
    return site.runs.save(run)[0]


def begin(site: Site, job: Job, printed: bytes = b"") -> Claim:
    """Have a worker take a job and print something."""
    site.jobs.enqueue(job)
    claim = site.jobs.claim(job.id, "worker-node1-77-ab12", f"token-{job.id}")
    assert claim is not None
    log = JobLog(site.redis, job.id, 1 << 20)
    log.start()
    log.write(printed)
    return claim


def fail(site: Site, job: Job, sentence: str = "the command ended with code 1") -> None:
    """Have a job run and fail for good."""
    claim = begin(site, job, b"Traceback: no such colour\n")
    failures = {key: sentence for _, key in job.datums}
    site.jobs.finish(claim, "failed", sentence, failures=failures)
