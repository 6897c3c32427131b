"""Logs of jobs: of runs here by id, datum or all failed ones, and of runs on a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tea_runner.broker.redis_server import RedisServer
from tests.cli.dataset import Dataset, tea
from tests.looking import RUN, begin, broker, make_job, make_site, process_env, save

__all__ = ["broker"]

_PICKY = """\
pipeline: {name: fit}
datum_tries: 1
input: {pfs: {name: in, repo: raw, glob: "/*"}}
transform: {cmd: [sh, -c, 'echo "now $(ls $PFS/in)"; ! grep -q bad $PFS/in/*']}
"""


@pytest.mark.long
def test_failures_of_a_run_here_are_found_again(tmp_path: Path) -> None:
    """By the id, by the datum and as all that failed; a sentence where there are none."""
    dataset = Dataset(
        tmp_path / "data",
        {"raw/a.txt": "bad\n", "raw/b c.txt": "bad\n", "raw/c.txt": "c\n", "fit/spec.yml": _PICKY},
    )
    none = dataset.tea("logs", "--failed")
    assert (1, True) == (none.code, "no run in this dataset has failed" in none.err)
    done = dataset.tea("run")
    assert 1 == done.code
    path = next(line for line in done.err.splitlines() if "log: " in line).partition("log: ")[2]

    by_id = dataset.tea("logs", Path(path).stem[:8])
    assert by_id.out.startswith("now ")
    by_datum = dataset.tea("logs", "in:b c.txt")
    assert "now b c.txt" in by_datum.out
    every = dataset.tea("logs", "--failed")
    assert "now a.txt" in every.out
    assert "now b c.txt" in every.out
    assert "now c.txt" not in every.out.replace("now b c.txt", "")
    rows = json.loads(dataset.tea("--json", "logs", "--failed").out)
    assert {"failed"} == {row["state"] for row in rows}
    assert 2 == dataset.tea("logs").code


@pytest.mark.long
def test_logs_of_a_run_on_a_server(broker: RedisServer, tmp_path: Path) -> None:
    """All jobs, the failed ones, or that of a datum."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    jobs = [make_job(1), make_job(2)]
    site.jobs.finish(begin(site, jobs[0]), "done")
    site.jobs.finish(begin(site, jobs[1]), "failed", "the command exited 1")
    for job, text in zip(jobs, (b"fine\n", b"broken\n"), strict=True):
        site.job_log(job.id).write(text)
    save(site, jobs)
    env = {**process_env(broker, tmp_path), "TEA_RUNNER_STATE": str(tmp_path / "state")}

    every = tea(tmp_path, "logs", RUN, env=env)
    assert "fine\n" in every.out
    assert "broken\n" in every.out
    assert 2 == every.out.count("===\n")
    assert "broken\n" == tea(tmp_path, "logs", RUN, "--failed", env=env).out
    label = jobs[0].datums[0][0]
    assert "fine\n" == tea(tmp_path, "logs", RUN, label, env=env).out
    missing = tea(tmp_path, "logs", RUN, "in:nothing", env=env)
    assert (1, True) == (missing.code, "has no such job" in missing.err)
    site.redis.close()
