"""``tea-runner run`` on a machine that has no room for it, prints without end, or wants it to end."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.cli.dataset import Dataset

SLOW = """\
pipeline: {name: slow}
input: {pfs: {name: in, repo: raw, glob: "/"}}
transform: {cmd: ["sh", "-c", "%s"]}
datum_tries: 3
"""


@pytest.mark.long
@pytest.mark.parametrize("setting", ["state", "scratch"])
def test_a_folder_that_cannot_be_made_is_one_sentence(dataset: Dataset, setting: str) -> None:
    """As ``check`` has it, with exit code 1."""
    said = dataset.tea("-c", f"{setting}=/proc/nowhere/tea", "run", "-y")

    assert 1 == said.code, said
    assert f"the setting {setting}" in said.err
    assert 1 == len([line for line in said.err.splitlines() if "/proc/nowhere" in line])


def test_the_log_of_a_failure_has_the_limit_of_workers(tmp_path: Path) -> None:
    """``log.max_bytes``: the first and the last bytes are kept."""
    text = "echo first; yes | head -c 3000000; echo last; exit 1"
    dataset = Dataset(tmp_path / "data", {"raw/a": "a", "slow/spec.yml": SLOW % text})
    state = tmp_path / "state"
    said = dataset.tea("-c", f"state={state}", "-c", "log.max_bytes=100 KiB", "run", "-y")

    assert 1 == said.code
    (log,) = (state / "logs").glob("*.log")
    kept = log.read_bytes()
    assert len(kept) < 110_000
    assert (b"first" in kept, b"last" in kept, b"bytes were not kept" in kept) == (True, True, True)


@pytest.mark.long
def test_a_signal_to_end_leaves_no_folder_behind(tmp_path: Path) -> None:
    """And says so; the command ends with it."""
    dataset = Dataset(tmp_path / "data", {"raw/a": "a", "slow/spec.yml": SLOW % "sleep 4321"})
    scratch = tmp_path / "scratch"
    flags = ["-c", f"state={tmp_path / 'state'}", "-c", f"scratch={scratch}"]
    env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    run = process.start_process(
        [sys.executable, "-m", "tea_runner", *flags, "-c", "sandbox.kind=off", "run", "-y"],
        env=env,
        cwd=dataset.path,
    )
    end = time.monotonic() + 60
    while not list(scratch.glob("process-*/job-*/out")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(run.pid, signal.SIGTERM)
    _, errors = run.communicate(timeout=30)

    assert (143, "tea-runner: terminated") == (run.returncode, errors.decode().splitlines()[-1])
    assert [] == list(scratch.iterdir())
