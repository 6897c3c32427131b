"""``run --executor slurm --detach``: nobody waits, and the last job of Slurm commits the results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.dataset import FILES, Dataset, Said
from tests.slurm import Slurm, slurm

pytestmark = pytest.mark.cluster

DETACH = ["run", "-y", "--executor", "slurm", "--detach"]
_SPEC = """\
pipeline: {{name: fit}}
input: {{pfs: {{name: in, repo: raw, glob: "/*"}}}}
datum_tries: 1
transform:
  cmd: [sh, -c, '{command}']
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One Slurm for the tests of this file."""
    with slurm(tmp_path_factory.mktemp("slurm")) as made:
        yield made


def status(dataset: Dataset, cluster: Slurm) -> Said:
    """What ``tea-runner status`` tells."""
    return dataset.tea("status", env=cluster.variables)


def eventually(what: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.3)


def ended(dataset: Dataset, cluster: Slurm) -> int:
    """Wait for the end of the detached run; returns its exit code."""

    def code() -> int | None:
        document = dataset.tea("--json", "status", env=cluster.variables).json["detached"]
        found: int | None = document["exit_code"]
        return found

    eventually(lambda: code() is not None)
    found = code()
    assert found is not None
    return found


def log_of(dataset: Dataset) -> str:
    """What the jobs that settle printed."""
    return (dataset.path / ".git/tea-runner/detached/settle.log").read_text()


def test_the_commits_are_those_of_a_run_that_waits(cluster: Slurm, tmp_path: Path) -> None:
    """Through two pipelines, of which the second is submitted by the job that settles the first."""
    here = Dataset(tmp_path / "here", FILES)
    shutil.copytree(here.path, tmp_path / "there", symlinks=True)
    there = Dataset(tmp_path / "there")
    assert 0 == here.tea("run", "-y").code
    said = there.tea(*DETACH, env=cluster.variables)

    assert 0 == said.code, said
    assert "submitted: 2 tasks" in said.out
    assert "next: tea-runner status" in said.out
    assert 0 == ended(there, cluster), log_of(there)
    log = "git", "log", "--format=%T %P %B"
    assert here.do(*log) == there.do(*log), log_of(there)
    assert "run(ok): shout [2 done]" in log_of(there)
    assert "detached run" not in status(there, cluster).out
    assert "Nothing to do." in there.tea(*DETACH, env=cluster.variables).out
    assert [] == list((there.path / ".git/tea-runner/jobs").glob("*"))


def test_one_run_at_a_time(cluster: Slurm, tmp_path: Path) -> None:
    """Another one is refused; the same one again leaves its commit to the run that is under way."""
    free = tmp_path / "free"
    command = f"until [ -e {free} ]; do sleep 0.1; done; cp $PFS/in/* $PFS/out"
    files = {"raw/a.txt": "a\n", "fit/spec.yml": _SPEC.format(command=command)}
    dataset = Dataset(tmp_path / "data", files)
    assert 0 == dataset.tea(*DETACH, env=cluster.variables).code
    try:
        assert "detached run: 0 of 1 tasks have ended" in status(dataset, cluster).out
        for words in (["run", "-y"], [*DETACH, "fit"]):
            said = dataset.tea(*words, env=cluster.variables)
            assert 1 == said.code, said
            assert "a detached run of the branch main is under way" in said.err
            assert "scancel" in said.err
        dataset.save({"raw/b.txt": "b\n"})
        said = dataset.tea(*DETACH, env=cluster.variables)
        assert 0 == said.code, said
        assert said.out.startswith("attached: ")
    finally:
        free.touch()

    assert 0 == ended(dataset, cluster), log_of(dataset)
    assert "b\n" == (dataset.path / "fit/b.txt").read_text()


def test_a_failed_datum_is_told_with_its_log(cluster: Slurm, tmp_path: Path) -> None:
    """By status, and as by any run."""
    spec = _SPEC.format(command="echo about $(ls $PFS/in); ! grep bad $PFS/in/*")
    files = {"raw/a.txt": "good\n", "raw/b.txt": "bad\n", "fit/spec.yml": spec}
    dataset = Dataset(tmp_path / "data", files)
    assert 0 == dataset.tea(*DETACH, env=cluster.variables).code

    assert 1 == ended(dataset, cluster)
    assert "ended with exit code 1: 1 datum failed" in status(dataset, cluster).out
    assert "failed: fit in:b.txt" in log_of(dataset)
    assert "about b.txt" in dataset.tea("logs", "--failed").lines


def test_a_cancelled_run_is_gone_on_with(cluster: Slurm, tmp_path: Path) -> None:
    """With scancel of all its jobs: status tells so, and the next run computes what is missing."""
    count, free = tmp_path / "count", tmp_path / "free"
    wait = f"until [ -e {free} ]; do sleep 0.1; done"
    command = (
        f"ls $PFS/in >>{count}; case $(ls $PFS/in) in b*) {wait};; esac; cp $PFS/in/* $PFS/out"
    )
    files = {f"raw/{name}.txt": f"{name}\n" for name in "ab"}
    files["fit/spec.yml"] = _SPEC.format(command=command)
    dataset = Dataset(tmp_path / "data", files)
    said = dataset.tea("--json", *DETACH, env=cluster.variables).json
    eventually(lambda: "1 of 2 tasks have ended" in status(dataset, cluster).out)
    cluster.call("scancel", *said["detached"]["slurm_jobs"])
    eventually(lambda: "has ended without doing so" in status(dataset, cluster).out)

    free.touch()
    assert 0 == dataset.tea(*DETACH, env=cluster.variables).code
    assert 0 == ended(dataset, cluster), log_of(dataset)
    assert ["a.txt", "b.txt", "b.txt"] == sorted(count.read_text().split())


def test_a_cancelled_task_fails_its_datums(cluster: Slurm, tmp_path: Path) -> None:
    """With that reason, and the others are kept."""
    began = tmp_path / "began"
    command = f"case $(ls $PFS/in) in b*) touch {began}; sleep 1000;; esac; cp $PFS/in/* $PFS/out"
    files = {f"raw/{name}.txt": f"{name}\n" for name in "ab"}
    files["fit/spec.yml"] = _SPEC.format(command=command)
    dataset = Dataset(tmp_path / "data", files)
    assert 0 == dataset.tea(*DETACH, env=cluster.variables).code
    eventually(lambda: began.exists() and "1 of 2 tasks" in status(dataset, cluster).out)
    cluster.call("scancel", "--name=tea-fit")

    assert 1 == ended(dataset, cluster)
    assert "its task was cancelled in Slurm" in log_of(dataset)


def test_datalad_save_submits_jobs(cluster: Slurm, tmp_path: Path) -> None:
    """Through the git hook, which returns at once."""
    dataset = Dataset(tmp_path / "data", FILES)
    done = dataset.tea("watch", "install", "-y", "--to", "slurm")
    assert 0 == done.code, done
    assert "Each commit submits the pipelines to Slurm now" in done.out
    dataset.write({"raw/c.txt": "cc\n"})
    env = {"TEA_RUNNER_SANDBOX__KIND": "off", **cluster.variables}
    dataset.do("env", *(f"{name}={value}" for name, value in env.items()), "datalad", "save")

    eventually((dataset.path / "table/table.txt").exists)
    assert "AA\nBB\nCC\n" == (dataset.path / "table/table.txt").read_text()
    assert "submitted: 3 tasks" in (dataset.path / ".git/tea-runner/watch.log").read_text()
