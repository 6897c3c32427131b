"""What work costs, in numbers that do not depend on the machine: processes, reads, round trips, pushes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from tea_runner.core.planning.plan import decide
from tea_runner.dataset.local_clone import open_clone
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.local_queue import LocalQueue
from tea_runner.flow.make_plan import make_plan
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.host import process
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.cgroup_fork_client import CgroupForkClient, ForkedProcess
from tests.cli.dataset import Dataset
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker

SPEC = """\
pipeline: {name: sums}
input: {pfs: {repo: in, glob: /*}}
transform:
  cmd: [sh, -c, 'for f in "$PFS"/in/*; do cat "$f" > "$PFS/out/${f##*/}"; done']
  env: {ROUND: "%s"}
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands of all processes that this process starts, or has started by its launchers."""
    commands: list[Sequence[str]] = []
    start, launch = process.start_process, CgroupForkClient.start

    def counted(argv: Sequence[str], **how: Any) -> process.Process:
        commands.append(argv)
        return start(argv, **how)

    def launched(launcher: CgroupForkClient, argv: Sequence[str], **how: Any) -> ForkedProcess:
        commands.append(argv)
        return launch(launcher, argv, **how)

    monkeypatch.setattr(process, "start_process", counted)
    monkeypatch.setattr(CgroupForkClient, "start", launched)
    return commands


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often Redis was asked for something and waited for since the last call."""
    count = 0
    send = redis.connection.AbstractConnection.send_packed_command

    def counted(self: Any, *args: Any, **how: Any) -> Any:
        nonlocal count
        count += 1
        return send(self, *args, **how)

    def since() -> int:
        nonlocal count
        seen, count = count, 0
        return seen

    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", counted)
    return since


def begun(root: Path, count: int, *, sandbox: str = "off", size: int = 20) -> Lab:
    """A lab whose dataset has inputs, annexed, and a pipeline with a result for each."""
    lab = folder_lab(root, sandbox=sandbox)
    files = {f"in/{index:03d}.txt": f"{index:0{size}d}\n" for index in range(count)}
    lab.create(files=files)
    with (lab.dataset / ".gitattributes").open("a") as file:
        file.write("*.yml annex.largefiles=nothing\n")
    again(lab, 0)
    return lab


def again(lab: Lab, number: int) -> None:
    """Have all datums computed, by a command that is new."""
    lab.write({"sums/spec.yml": SPEC % number})
    lab.save("pipeline")
    lab.push()
    lab.settle()
    lab.pull()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Twelve datums, settled."""
    made = begun(tmp_path, 12)
    yield made
    made.close()


@pytest.mark.long
@pytest.mark.skipif(
    BubblewrapSandbox().check() is not None,
    reason=f"no sandbox here: {BubblewrapSandbox().check()}",
)
def test_a_datum_in_a_sandbox_starts_few_processes(
    tmp_path: Path, started: list[Sequence[str]]
) -> None:
    """At most three for each datum, all that planner and worker start besides divided among them."""
    lab = begun(tmp_path, 60, sandbox="bwrap")
    try:
        started.clear()
        lab.write({"sums/spec.yml": SPEC % 1})
        lab.save("pipeline")
        lab.push()
        started.clear()

        lab.settle()

        sandboxes = [argv for argv in started if os.path.basename(argv[0]) == "bwrap"]
        assert 60 == len(sandboxes)
        assert len(started) <= 3 * 60
        assert len(started) - 60 <= 60
    finally:
        lab.close()


@pytest.mark.long
def test_a_datum_without_a_sandbox_starts_its_command_and_little_else(
    lab: Lab, started: list[Sequence[str]]
) -> None:
    """What ends it with the worker is there already: nothing but commands grows with their number."""
    lab.write({"sums/spec.yml": SPEC % 1})
    lab.save("pipeline")
    lab.push()
    started.clear()

    lab.settle()

    assert 12 == len([argv for argv in started if SPEC.partition("-c, '")[2][:20] in argv[-1]])
    assert len([argv for argv in started if argv[0] == "/bin/sh"]) <= 1


@pytest.mark.long
def test_results_are_pushed_once(lab: Lab, started: list[Sequence[str]]) -> None:
    """Twelve changed datums are one push of the branch, whatever pushes their jobs needed."""
    lab.write({"sums/spec.yml": SPEC % 1})
    lab.save("pipeline")
    lab.push()
    started.clear()

    lab.settle()

    pushes = [argv for argv in started if "push" in argv]
    assert 1 == len([argv for argv in pushes if any(a.endswith(":refs/heads/main") for a in argv)])
    # One for the results commit, one that removes the jobs' refs, and one for each job.
    jobs = [argv for argv in pushes if any(":refs/tea/jobs/" in a for a in argv)]
    assert len(pushes) <= 1 + len(jobs)
    # Jobs are sized by time: a slow machine makes more of them, never one for each datum.
    assert len(jobs) < 12


@pytest.mark.long
def test_an_unchanged_tree_is_not_read_again(lab: Lab) -> None:
    """A commit that touches nothing matched costs the commit and the trees on the way to the change."""
    repository = lab.site().repository(lab.name)
    repository.refresh()
    planner = IncrementalPlanner()

    def reads() -> int:
        before = repository.objects.reads
        commit = repository.tip("main")
        assert commit is not None
        tip = open_commit(repository.objects, commit, planner.cache)
        planned = make_plan(repository, tip, failures=lambda _: {}, planner=planner)
        assert ["settled"] == [plan.state for plan in planned.plan.pipelines]
        return repository.objects.reads - before

    first = reads()
    # The file with the attributes, which says how small files are hashed.
    assert reads() <= 1

    lab.write({"README": "new\n"})
    lab.save()
    lab.push()
    repository.refresh()

    assert first > 15
    # The commit, its root tree, and the commits that the index of known results compares.
    assert reads() <= 6
    repository.close()


def test_an_unchanged_push_starts_few_processes(lab: Lab, started: list[Sequence[str]]) -> None:
    """Fetch, refs, and what the index of known results asks of the history."""
    lab.write({"README": "new\n"})
    lab.save()
    lab.push()
    started.clear()

    lab.settle()

    assert len(started) <= 5, started


@pytest.mark.long
def test_known_results_of_a_clone_are_put_together_with_few_processes(
    tmp_path: Path, started: list[Sequence[str]]
) -> None:
    """Beside a branch, each push puts all of its results together again; none of them needs a process."""
    count, command = 12, 'for f in "$PFS"/in/*; do cat "$f" > "$PFS/out/${f##*/}"; done'
    shell = {"pipeline": {"name": "up"}, "transform": {"cmd": ["sh", "-c", command]}}
    text = json.dumps({**shell, "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*"}}})
    data = Dataset(tmp_path / "data", {"up/spec.yml": text, "raw/0": "0\n"})
    assert 0 == data.tea("run", "-y").code
    data.do("git", "switch", "-q", "-c", "fix")
    data.save({f"raw/{number}": f"{number}\n" for number in range(1, count)})
    assert 0 == data.tea("run", "-y").code
    before = data.do("git", "rev-parse", "tea/results/fix")
    data.save({"README": "x\n"})
    clone = open_clone(data.path, os.environ)
    advancer = BranchAdvancer(dataset=clone, queue=LocalQueue(), who="A <a@example.org>")
    started.clear()

    done = advancer.advance("fix")
    clone.close()

    assert done is not None
    assert {"reused": count} == dict(done.pipelines["up"].counts)
    assert before != data.do("git", "rev-parse", "tea/results/fix")
    assert len([argv for argv in started if "for-each-ref" in argv]) <= 25, started


@pytest.mark.long
def test_one_changed_of_many_is_decided_and_written_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm planner looks at the datum that changed, before and after; one piece of the manifest is new."""
    monkeypatch.setattr("tea_runner.core.results.manifest.MAX_SINGLE_ROWS", 4)
    monkeypatch.setattr("tea_runner.core.results.manifest.PIECE", 2)
    sizes: list[int] = []

    def decided(pipeline: Any, keyed: Sequence[Any], *args: Any, **how: Any) -> Any:
        sizes.append(len(keyed))
        return decide(pipeline, keyed, *args, **how)

    monkeypatch.setattr("tea_runner.flow.key_lookup.decide", decided)
    site = lab.site()
    planner, worker = BranchPlanner(site), JobWorker(site, "one")

    def settle(*changes: dict[str, str | None]) -> set[str]:
        """What each results commit touches, and how many datums were decided one by one."""
        for files in changes:
            lab.write(files)
        lab.save()
        lab.push()
        sizes.clear()
        site.plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
        planner.plan(lab.name, "main")
        for job in site.jobs.waiting():
            worker(job)
        planner.plan(lab.name, "main")
        lab.pull()
        return set(lab.git("diff", "--name-only", "HEAD^", "HEAD").split())

    whole = settle({"sums/spec.yml": SPEC % 7})
    assert len([path for path in whole if "/manifest.d/" in path]) > 3
    assert max(sizes) == 12

    for files in ({"in/003.txt": "x\n"}, {"in/new.txt": "n\n"}, {"in/003.txt": None}):
        touched = settle(files)
        assert 1 == len([path for path in touched if "/manifest.d/" in path]), touched
        assert 3 == len(touched), touched
        assert sizes
        assert max(sizes) <= 1, sizes

    # And what a planner knows that has seen none of it is the same.
    other = BranchPlanner(lab.site("other"))
    sizes.clear()
    other.plan(lab.name, "main")
    assert [12] == sizes
    assert ["settled"] == [p.state for p in lab.site().runs.latest(1)[0].pipelines]
    for each in (planner, worker, other):
        each.close()


@pytest.mark.long
def test_a_job_asks_redis_a_fixed_number_of_times(
    lab: Lab, trips: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claim, log, end: round trips are per job; its datums add a line to the log, no more."""
    # What a slow machine sends of the log while the job goes on is its time, not the job's cost.
    monkeypatch.setattr("workers.job_worker._LOG_PAUSE", 3600.0)

    def cost(number: int, count: int) -> int:
        lab.write({"sums/spec.yml": (SPEC % number) + f"datum_set_spec: {{number: {count}}}\n"})
        lab.save()
        lab.push()
        site = lab.site()
        site.plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
        planner = BranchPlanner(site)
        planner.plan(lab.name, "main")
        worker = JobWorker(site, "counted")
        jobs = site.jobs.waiting()
        assert 12 // count == len(jobs)
        trips()
        for job in jobs:
            worker(job)
        seen = trips()
        worker.close()
        planner.close()
        lab.work_off()
        lab.pull()
        return seen // len(jobs)

    few, many = cost(1, 2), cost(2, 12)

    assert few <= 30
    # Ten more datums; one question for each would be ten.
    assert many < few + 8


@pytest.mark.long
def test_only_the_changed_input_is_fetched(tmp_path: Path) -> None:
    """For one changed input, what reaches a worker's host is that input and a little of git."""
    size = 200_000
    lab = begun(tmp_path, 8, size=size)
    try:
        mirror = lab.site().repository(lab.name).mirror.git_dir
        before = weight(mirror)
        lab.write({"in/003.txt": "x" * size})
        lab.save()
        lab.push()

        lab.settle()

        # The input, the output that is as large, and 100 kB of trees, logs and manifests.
        assert weight(mirror) - before < 2 * size + 100_000
    finally:
        lab.close()


def weight(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


@pytest.mark.long
def test_results_that_another_branch_takes_over_are_read_together(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions to git for attributes and for the rules' files do not grow with the datums."""
    lab.git("checkout", "-qb", "work", f"{lab.git('rev-parse', 'HEAD~1').strip()}")
    lab.push("-f")
    site = lab.site()
    sends = 0
    send = process.BatchProcess.send

    def counted(self: process.BatchProcess, data: bytes) -> None:
        nonlocal sends
        sends += b"sums/" in data
        send(self, data)

    monkeypatch.setattr(process.BatchProcess, "send", counted)
    site.plan_requests.request_plan(lab.name, "refs/heads/work", why="test")
    lab.work_off()
    assert lab.tip("tea/results/work")
    assert sends <= 2
