"""Workers that dask-jobqueue starts in a real Slurm carry out jobs, which Dask lists by name."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.cli.dataset import Dataset
from tests.e2e.test_whole_way import free_port
from tests.executors.test_detached_run import eventually
from tests.slurm import slurm

pytestmark = pytest.mark.cluster

#: As a person writes it: two jobs of Slurm with a worker each, until Ctrl-C.
_CLUSTER = """\
import sys, time
from dask_jobqueue import SLURMCluster
cluster = SLURMCluster(
    queue="debug", cores=1, processes=1, memory="300MB", walltime="00:20:00", interface="lo",
    scheduler_options={"port": int(sys.argv[1]), "dashboard_address": ":0"},
    log_directory=sys.argv[2], local_directory=sys.argv[2],
)
cluster.scale(jobs=2)
time.sleep(1200)
"""
_SPEC = """\
pipeline: {{name: fit}}
input: {{pfs: {{name: in, repo: raw, glob: "/*"}}}}
transform:
  cmd: [sh, -c, 'echo began >>{began}; until [ -e {free} ]; do sleep 0.1; done; cp $PFS/in/* $PFS/out']
"""


def test_datums_run_in_jobs_of_slurm_and_are_seen_in_dask(tmp_path: Path) -> None:
    """By pipeline and datum, which is what the dashboard shows."""
    pytest.importorskip("dask_jobqueue", reason="needs pip install 'tea-runner[cluster]'")
    from distributed import Client

    free, began, port = tmp_path / "free", tmp_path / "began", free_port()
    spec = _SPEC.format(free=free, began=began)
    files = {f"raw/{name}.txt": f"{name}\n" for name in "ab"}
    dataset = Dataset(tmp_path / "data", {**files, "fit/spec.yml": spec})
    with slurm(tmp_path / "slurm") as cluster, ThreadPoolExecutor(1) as pool:
        env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
        env |= {"TEA_RUNNER_SANDBOX__KIND": "off", **cluster.variables}
        argv = [sys.executable, "-c", _CLUSTER, str(port), str(tmp_path)]
        with (tmp_path / "jobqueue.log").open("ab") as log:
            running = process.start_process(argv, env=env, cwd=tmp_path, stdout=log, stderr=log)
        try:
            workers = ["squeue", "-h", "-t", "RUNNING", "-n", "dask-worker"]
            eventually(lambda: len(cluster.call(*workers).splitlines()) == 2)
            words = ["run", "-y", "--executor", f"dask://127.0.0.1:{port}"]
            run = pool.submit(dataset.tea, *words)
            eventually(lambda: began.exists() and len(began.read_text().split()) == 2)
            with Client(f"tcp://127.0.0.1:{port}", set_as_default=False) as client:
                names = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
            free.touch()
            said = run.result(timeout=120)
        finally:
            free.touch()
            process.kill(running)

    assert 0 == said.code, said
    assert ["fit-in:a.txt", "fit-in:b.txt"] == sorted(name.split(" ")[0] for name in names)
    assert "b\n" == (dataset.path / "fit/b.txt").read_text()
