"""Many jobs at once, many processes, and hosts that share nothing but queue, forge and storage."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker.workers_and_queues import read_fleet
from tea_runner.host import process
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.test_fetches import content

pytestmark = pytest.mark.cluster

SPEC = """\
pipeline:
  name: copy
input:
  pfs:
    repo: in
    glob: "/*"
transform:
  cmd: ["sh", "-c", "f=$(ls $PFS/in); cp $PFS/in/$f $PFS/out/$f.copy; echo $f done"]
"""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose dataset has 64 files and one pipeline over each."""
    lab = folder_lab(tmp_path)
    files = {f"in/f{number:02}.txt": f"content {number}\n" for number in range(64)}
    rules = "* annex.backend=MD5E\n**/spec.yml annex.largefiles=nothing\n"
    lab.create(files={**files, ".gitattributes": rules, "copy/spec.yml": SPEC})
    yield lab
    lab.close()


def records(lab: Lab) -> list[str]:
    """Subjects of all record commits, by the branch's whole history."""
    out = lab.git("log", "--format=%s", "--grep=DATALAD RUNCMD", "HEAD")
    return sorted(line for line in out.splitlines() if line.startswith("[DATALAD RUNCMD]"))


def start(lab: Lab, host: str, *verb: str) -> process.Process:
    """A process of a host, as its service manager would start it."""
    lab.site(host)
    config = lab.root / "hosts" / host / "tea-runner.toml"
    argv = [sys.executable, "-m", "tea_runner", "--config", str(config), *verb]
    with (config.parent / "log").open("ab") as log:
        return process.start_process(argv, env=lab.env, stdout=log, stderr=log)


def wait_for_results(lab: Lab, pushed: str, seconds: float = 120) -> None:
    """Until the forge's branch is not the pushed commit any more."""
    end = time.monotonic() + seconds
    while lab.tip() == pushed:
        assert time.monotonic() < end, [
            path.read_text() for path in (lab.root / "hosts").glob("*/log")
        ]
        time.sleep(0.1)


def test_64_jobs_on_8_worker_processes_make_one_commit_with_64_exact_records(many: Lab) -> None:
    """None is lost, none is double, and each record holds exactly its own output."""
    lab = many
    running = [start(lab, "one", "planner")]
    running += [start(lab, "one", "worker") for _ in range(8)]
    try:
        pushed = lab.push()
        lab.site().plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
        wait_for_results(lab, pushed)
    finally:
        for each in running:
            process.kill(each)
    tip = lab.pull()

    first_parents = lab.git("rev-list", "--first-parent", f"{pushed}..{tip}").split()
    assert 1 == len(first_parents)
    expected = [f"[DATALAD RUNCMD] copy: in:f{number:02}.txt" for number in range(64)]
    assert expected == records(lab)
    for commit in lab.git("rev-list", "--grep=DATALAD RUNCMD", "HEAD").split():
        changed = lab.git("diff-tree", "--no-commit-id", "--name-only", "-r", commit).split()
        subject = lab.git("log", "-1", "--format=%s", commit).strip()
        assert [f"copy/{subject.rpartition(':')[2]}.copy"] == changed


def test_two_hosts_that_share_only_queue_forge_and_storage_share_the_work(many: Lab) -> None:
    """Each has a home, mirrors and scratch of its own; both do jobs of one push."""
    lab = many
    running = [
        start(lab, "east", "planner"),
        start(lab, "east", "worker"),
        start(lab, "west", "worker"),
    ]
    try:
        redis, end = lab.site().redis, time.monotonic() + 60
        while len([w for w in read_fleet(redis, []).workers if w.kind == "job"]) < 2:
            assert time.monotonic() < end, "the workers did not start"
            time.sleep(0.1)
        pushed = lab.push()
        lab.site().plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
        wait_for_results(lab, pushed)
    finally:
        for each in running:
            process.kill(each)
    tip = lab.pull()

    assert 64 == len(records(lab))
    lab.do("git", "annex", "get", "--quiet", "copy")
    for number in range(64):
        assert f"content {number}\n" == (lab.dataset / f"copy/f{number:02}.txt.copy").read_text()
    east, west = (os.listdir(lab.root / "hosts" / host / "mirrors") for host in ("east", "west"))
    assert east == west
    # A planner fetches no content: what is there a worker has taken.
    assert all(content(lab, host) > 0 for host in ("east", "west"))
    assert tip != pushed
