"""A real Dask cluster of two workers on loopback, in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.test_whole_way import free_port


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """Scheduler and workers that end with the test; the address is ``HOST:PORT``."""
    pytest.importorskip("distributed", reason="needs dask: pip install 'tea-runner[dask]'")
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    env |= {"TEA_RUNNER_SANDBOX__KIND": "off", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    host, _, port = address.partition(":")
    dask = [sys.executable, "-m", "distributed.cli"]
    scheduler = [f"{dask[2]}.dask_scheduler", "--host", host, "--port", port, "--no-dashboard"]
    worker = [f"{dask[2]}.dask_worker", f"tcp://{address}", "--nworkers", "2", "--nthreads", "1"]
    worker += ["--no-dashboard", "--local-directory", str(folder)]
    running = []
    try:
        for name, words in (("scheduler", scheduler), ("worker", worker)):
            with (folder / f"{name}.log").open("ab") as log:
                argv = [*dask[:2], *words]
                running.append(
                    process.start_process(argv, env=env, cwd=folder, stdout=log, stderr=log)
                )
        yield address
    finally:
        for each in reversed(running):
            process.kill(each)
