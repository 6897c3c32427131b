"""What happens to tasks in a real Slurm: cancelled, put back, on a node that dies, a thousand datums."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset, Said
from tests.executors.test_detached_run import DETACH, ended, eventually, log_of
from tests.slurm import Slurm, slurm

pytestmark = pytest.mark.cluster

_SPEC = """\
pipeline: {{name: fit}}
input: {{pfs: {{name: in, repo: raw, glob: "/*"}}}}
datum_tries: 1
transform:
  cmd: [sh, -c, '{command}']
"""
RUN = ["run", "-y", "--executor", "slurm"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One Slurm for the tests of this file."""
    with slurm(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """One thread, in which a run waits."""
    with ThreadPoolExecutor(1) as made:
        yield made


def _waiting(folder: Path, free: Path, began: Path) -> Dataset:
    """A dataset whose datum b waits for a file; *began* has a line for each begin of b."""
    wait = f"echo began >>{began}; until [ -e {free} ]; do sleep 0.1; done"
    command = f"case $(ls $PFS/in) in b*) {wait};; esac; cp $PFS/in/* $PFS/out"
    files = {f"raw/{name}.txt": f"{name}\n" for name in "ab"}
    return Dataset(folder, {**files, "fit/spec.yml": _SPEC.format(command=command)})


def _task(cluster: Slurm) -> str:
    """The one task that runs, as ARRAY_NUMBER."""
    eventually(lambda: len(_running(cluster)) == 1)
    (task,) = _running(cluster)
    return task


def _running(cluster: Slurm) -> list[str]:
    return cluster.call(
        "squeue", "-h", "-r", "-t", "RUNNING", "-n", "tea-fit", "-o", "%F_%K"
    ).split()


def test_one_cancelled_task_fails_its_datum_only(
    cluster: Slurm, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """The other task's result is kept: the next run computes the one that was cancelled."""
    free, began = tmp_path / "free", tmp_path / "began"
    dataset = _waiting(tmp_path / "data", free, began)
    run: Future[Said] = pool.submit(dataset.tea, *RUN, env=cluster.variables)
    eventually(began.exists)
    cluster.call("scancel", _task(cluster))
    said = run.result(timeout=120)
    assert 1 == said.code, said
    assert "its task was cancelled in Slurm" in said.out

    free.touch()
    plan = dataset.tea("plan")
    assert "1 to run" in plan.out or "b.txt" in plan.out, plan
    assert 0 == dataset.tea("run", "-y").code
    assert 2 == len(began.read_text().split())


@pytest.mark.parametrize("how", ["requeue", "preempt"])
def test_a_task_that_is_put_back_runs_again(
    cluster: Slurm, pool: ThreadPoolExecutor, tmp_path: Path, how: str
) -> None:
    """By an operator's scontrol requeue, or by a job that goes before it: the run waits for it."""
    free, began = tmp_path / "free", tmp_path / "began"
    dataset = _waiting(tmp_path / "data", free, began)
    env = {**cluster.variables, "SBATCH_PARTITION": "idle"}
    run: Future[Said] = pool.submit(dataset.tea, *RUN, env=env)
    eventually(began.exists)
    task = _task(cluster)
    if how == "requeue":
        cluster.call("scontrol", "requeue", task)
    else:
        cluster.call("sbatch", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")
    eventually(lambda: len(began.read_text().split()) == 2)
    free.touch()
    said = run.result(timeout=120)

    assert 0 == said.code, said
    assert "b\n" == (dataset.path / "fit/b.txt").read_text()


@pytest.mark.parametrize("detached", [False, True])
def test_a_task_of_a_node_that_dies_runs_again(
    cluster: Slurm, pool: ThreadPoolExecutor, tmp_path: Path, *, detached: bool
) -> None:
    """Slurm notices after SlurmdTimeout; nothing fails for it."""
    free, began = tmp_path / "free", tmp_path / "began"
    dataset = _waiting(tmp_path / "data", free, began)
    words = DETACH if detached else RUN
    run: Future[Said] = pool.submit(dataset.tea, *words, env=cluster.variables)
    eventually(began.exists)
    _task(cluster)
    cluster.kill_node()
    free.touch()
    try:
        eventually(lambda: not _running(cluster))
    finally:
        cluster.start("slurmd")
    said = run.result(timeout=240)

    assert 0 == said.code, said
    if detached:
        assert 0 == ended(dataset, cluster), log_of(dataset)
    assert "b\n" == (dataset.path / "fit/b.txt").read_text()
    assert 2 == len(began.read_text().split())


def test_a_thousand_datums_are_a_few_tasks_of_which_some_run_at_once(
    cluster: Slurm, tmp_path: Path
) -> None:
    """Sets of datums share a task, and ``slurm.most_tasks`` is the most that run."""
    files = {f"raw/{number:04}.txt": f"{number}\n" for number in range(1000)}
    spec = _SPEC.format(command="cp $PFS/in/* $PFS/out").replace("cmd:", "stdin: []\n  cmd:")
    dataset = Dataset(tmp_path / "data", {**files, "fit/spec.yml": spec})
    env = {**cluster.variables, "TEA_RUNNER_SLURM__MOST_TASKS": "1"}
    said = dataset.tea("--json", *DETACH, env=env)
    assert 0 == said.code, said
    assert 32 == said.json["detached"]["tasks"]
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, len(_running(cluster)))
        code = dataset.tea("--json", "status", env=env).json["detached"]["exit_code"]
        return code is not None

    eventually(done, seconds=400)
    assert 0 == ended(dataset, cluster), log_of(dataset)
    assert 1 == most
    assert 1000 == len(list((dataset.path / "fit").glob("*.txt")))
