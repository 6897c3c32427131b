"""The example's flow on a real Prefect server: each datum is a task run, and the records are ours."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import requests

from tea_runner.host import process
from tests.cli.dataset import FILES, Dataset
from tests.e2e.lab import EXAMPLES
from tests.e2e.test_whole_way import free_port
from tests.executors.test_detached_run import eventually

pytestmark = pytest.mark.cluster


def test_each_datum_is_a_task_run(tmp_path: Path) -> None:
    """Of two pipelines, one after the other; the commits are those of tea-runner run."""
    pytest.importorskip("prefect", reason="needs pip install 'tea-runner[cluster]'")
    here = Dataset(tmp_path / "here", FILES)
    shutil.copytree(here.path, tmp_path / "there", symlinks=True)
    there, port = Dataset(tmp_path / "there"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    env |= {"TEA_RUNNER_SANDBOX__KIND": "off", "PREFECT_HOME": str(tmp_path / "prefect")}
    env |= {"PREFECT_API_URL": api, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    with (tmp_path / "server.log").open("ab") as log:
        server = process.start_process(
            [*argv, "--port", str(port), "--no-ui"], env=env, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        eventually(lambda: _answers(f"{api}/health"))
        flow = [sys.executable, str(EXAMPLES / "prefect-flow/flow.py"), str(there.path)]
        done = process.run(flow, env=env, cwd=tmp_path, check=False, timeout=300)
        assert 0 == done.returncode, done.stderr.decode()

        def names() -> list[str]:
            rows = requests.post(f"{api}/task_runs/filter", json={}, timeout=30).json()
            return sorted(row["name"] for row in rows if row["state_type"] == "COMPLETED")

        expected = ["commit results", "commit results", "shout in:a.txt", "shout in:b.txt"]
        expected.append("table in:/")
        # Task runs reach the server by events, some after the end of the flow.
        eventually(lambda: len(names()) >= len(expected), seconds=60)
        assert expected == names()
    finally:
        process.kill(server)
    assert 0 == here.tea("run", "-y").code
    log_format = "git", "log", "--format=%T %P %B"
    assert here.do(*log_format) == there.do(*log_format)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
