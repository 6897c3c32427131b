"""Each executor gives the same commits, stops what runs, and tells of tasks that do not come back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess  # noqa: TID251 - a test interrupts a run
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.dataset import FILES, Dataset
from tests.executors.dask import dask_cluster
from tests.slurm import Slurm, slurm

pytestmark = pytest.mark.cluster

_COUNTING = """\
pipeline: {{name: fit}}
input: {{pfs: {{name: in, repo: raw, glob: "/*"}}}}
datum_tries: 1
transform:
  cmd: [sh, -c, '{command}']
"""


@dataclass
class Executor:
    """An executor as people name it, with the variables that its commands need."""

    name: str
    words: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One Slurm for the tests of this file."""
    with slurm(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture(params=["local", "slurm", "dask"])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    """Each of them."""
    with ExitStack() as stack:
        if request.param == "slurm":
            made: Slurm = request.getfixturevalue("cluster")
            yield Executor("slurm", ["--executor", "slurm"], made.variables)
        elif request.param == "dask":
            address = stack.enter_context(dask_cluster(tmp_path / "dask"))
            yield Executor("dask", ["--executor", f"dask://{address}"])
        else:
            yield Executor("local", [])


def _commits(dataset: Dataset) -> list[str]:
    """Tree and message of each commit."""
    return dataset.do("git", "log", "--format=%T %B").splitlines()


def test_the_commits_are_those_of_a_run_in_this_process(executor: Executor, tmp_path: Path) -> None:
    """Trees and messages, through two pipelines; and nothing is left to do."""
    here = Dataset(tmp_path / "here", FILES)
    shutil.copytree(here.path, tmp_path / "there", symlinks=True)
    there = Dataset(tmp_path / "there")
    assert 0 == here.tea("run", "-y").code
    said = there.tea("run", "-y", *executor.words, env=executor.variables)

    assert 0 == said.code, said
    assert _commits(here) == _commits(there)
    assert "Nothing to do." in there.tea("run", "-y", *executor.words, env=executor.variables).out
    assert [] == list((there.path / ".git/tea-runner/jobs").glob("*"))


def test_a_failed_datum_is_named_with_its_log(executor: Executor, tmp_path: Path) -> None:
    """As by a run in this process."""
    spec = _COUNTING.format(command="echo about $(ls $PFS/in); ! grep bad $PFS/in/*")
    files = {"raw/a.txt": "good\n", "raw/b.txt": "bad\n", "fit/spec.yml": spec}
    dataset = Dataset(tmp_path / "data", files)
    said = dataset.tea("run", "-y", *executor.words, env=executor.variables)

    assert 1 == said.code, said
    assert "failed: fit in:b.txt" in said.err + said.out
    assert "about b.txt" in dataset.tea("logs", "--failed").lines


def test_an_interrupted_run_leaves_nothing_running(executor: Executor, tmp_path: Path) -> None:
    """And the next run goes on with what was computed."""
    count, free = tmp_path / "count", tmp_path / "free"
    count.touch()
    wait = f"until [ -e {free} ]; do sleep 0.1; done"
    command = (
        f"ls $PFS/in >>{count}; case $(ls $PFS/in) in b*) {wait};; esac; cp $PFS/in/* $PFS/out"
    )
    files = {f"raw/{name}.txt": f"{name}\n" for name in "ab"}
    dataset = Dataset(
        tmp_path / "data", {**files, "fit/spec.yml": _COUNTING.format(command=command)}
    )
    env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    env.update({"TEA_RUNNER_SANDBOX__KIND": "off", **executor.variables})
    argv = [sys.executable, "-m", "tea_runner", "run", "-y", "-j2", *executor.words]
    running = subprocess.Popen(argv, cwd=dataset.path, env=env, stderr=subprocess.PIPE)
    try:
        _until(lambda: len(count.read_text().split()) == 2)
        _until(lambda: bool(dataset.do("git", "for-each-ref", "refs/tea/").strip()))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
        running.communicate()
    assert 130 == running.returncode, said
    assert b"Traceback" not in said
    _until(lambda: not _shells_of(str(free)))

    free.touch()
    assert 0 == dataset.tea("run", "-y", *executor.words, env=executor.variables).code
    assert ["a.txt", "b.txt", "b.txt"] == sorted(count.read_text().split())


def _until(what: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.1)


def _shells_of(word: str) -> list[int]:
    return _processes_of(word, "sh")


def _processes_of(word: str, program: str = "") -> list[int]:
    """Processes with a word on their command line, but not that of the test."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if word.encode() in words and words.startswith(
            program.encode() + b"\0" if program else b""
        ):
            found.append(int(path.parent.name))
    return found


def test_a_killed_task_is_submitted_again(cluster: Slurm, tmp_path: Path) -> None:
    """As one whose node died: nothing fails for it."""
    began = tmp_path / "began"
    command = f"test -e {began} || {{ touch {began}; sleep 1000; }}; cp $PFS/in/* $PFS/out"
    files = {"raw/a.txt": "a\n", "fit/spec.yml": _COUNTING.format(command=command)}
    dataset = Dataset(tmp_path / "data", files)
    with ThreadPoolExecutor(1) as pool:
        words = ["--executor", "slurm"]
        ended = pool.submit(dataset.tea, "run", "-y", *words, env=cluster.variables)
        _until(began.exists)
        for pid in _processes_of("run-job"):
            os.kill(pid, signal.SIGKILL)
        said = ended.result(timeout=240)

    assert 0 == said.code, said
    assert "a\n" == (dataset.path / "fit/a.txt").read_text()


def test_a_cancelled_task_fails_its_datums(cluster: Slurm, tmp_path: Path) -> None:
    """With that reason, and without another try."""
    began = tmp_path / "began"
    spec = _COUNTING.format(command=f"touch {began}; sleep 1000")
    dataset = Dataset(tmp_path / "data", {"raw/a.txt": "a\n", "fit/spec.yml": spec})
    with ThreadPoolExecutor(1) as pool:
        words = ["--executor", "slurm"]
        ended = pool.submit(dataset.tea, "run", "-y", *words, env=cluster.variables)
        _until(began.exists)
        cluster.call("scancel", "--name=tea-fit")
        said = ended.result(timeout=240)

    assert 1 == said.code, said
    assert "its task was cancelled in Slurm" in said.out
