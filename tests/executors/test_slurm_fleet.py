"""``tea-runner slurm`` keeps burst workers of a server in a real Slurm, at the length of the queue."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.test_scale_out import start, wait_for_results
from tests.executors.test_detached_run import eventually
from tests.slurm import Slurm, slurm

pytestmark = pytest.mark.cluster

_SPEC = """\
pipeline: {{name: copy}}
input: {{pfs: {{repo: in, glob: "/*"}}}}
transform:
  cmd: [sh, -c, '{command}']
"""
_SETTINGS = """\
[worker]
lease = 5.0
grace = 2.0
[reconcile]
every = 2.0
[slurm]
most_workers = {most}
every = 1.0
options = ["--mem=50", "--time=10", "--partition=idle"]
worker_name = "{name}"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One Slurm for the tests of this file."""
    with slurm(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@dataclass
class Fleet:
    """A lab with planner and reconciler, whose workers are in Slurm."""

    lab: Lab
    cluster: Slurm
    name: str

    def begin(self, command: str, files: int) -> list[process.Process]:
        """Push a dataset with a pipeline, and start the server."""
        lab = self.lab
        lab.env |= self.cluster.variables
        lab.tables = _SETTINGS.format(most=2, name=self.name)
        inputs = {f"in/f{number}.txt": f"content {number}\n" for number in range(files)}
        rules = "* annex.backend=MD5E\n**/spec.yml annex.largefiles=nothing\n"
        spec = _SPEC.format(command=command)
        lab.create(files={**inputs, ".gitattributes": rules, "copy/spec.yml": spec})
        return [start(lab, "one", verb) for verb in ("planner", "reconcile", "slurm")]

    def push(self) -> str:
        """Push and ask for a plan."""
        pushed = self.lab.push()
        self.lab.site("one").plan_requests.request_plan(
            self.lab.name, "refs/heads/main", why="test"
        )
        return pushed

    def workers(self) -> list[str]:
        """States of the workers that Slurm has."""
        return self.cluster.call("squeue", "-h", "-r", "-n", self.name, "-o", "%T").split()


@pytest.fixture
def fleet(tmp_path: Path, cluster: Slurm) -> Iterator[Fleet]:
    """A lab whose workers are in Slurm."""
    made = folder_lab(tmp_path)
    yield Fleet(made, cluster, f"tea-{tmp_path.name[-20:]}")
    made.close()


def test_workers_come_with_jobs_and_go_without(fleet: Fleet) -> None:
    """Never more than the cap."""
    running = fleet.begin("sleep 0.5; cp $PFS/in/* $PFS/out", 8)
    try:
        assert [] == fleet.workers()
        pushed = fleet.push()
        most = 0

        def done() -> bool:
            nonlocal most
            most = max(most, len(fleet.workers()))
            return fleet.lab.tip() != pushed

        eventually(done)
        eventually(lambda: not fleet.workers())
    finally:
        for each in running:
            process.kill(each)
    assert 1 <= most <= 2
    fleet.lab.pull()
    assert 8 == len(list((fleet.lab.dataset / "copy").glob("f*.txt")))


@pytest.mark.parametrize("how", ["scancel", "kill", "preempt"])
def test_a_worker_that_ends_loses_no_job(fleet: Fleet, tmp_path: Path, how: str) -> None:
    """Told to stop, it gives the job back; killed, its lease runs out; another one is started."""
    began = tmp_path / "began"
    command = f"echo $$ >>{began}; test $(wc -l <{began}) -gt 1 || sleep 600; cp $PFS/in/* $PFS/out"
    running = fleet.begin(command, 1)
    try:
        pushed = fleet.push()
        eventually(began.exists)
        if how == "scancel":
            fleet.cluster.call("scancel", f"--name={fleet.name}")
        elif how == "preempt":
            # A job of a partition with priority takes the whole node for some seconds.
            fleet.cluster.call("sbatch", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")
        else:
            for pid in _workers(fleet.lab.root):
                os.kill(pid, signal.SIGKILL)
        wait_for_results(fleet.lab, pushed)
    finally:
        for each in running:
            process.kill(each)
    assert 2 == len(began.read_text().split())


def _workers(root: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--burst" in words and any(word.startswith(os.fsencode(root)) for word in words):
            found.append(int(path.parent.name))
    return found
