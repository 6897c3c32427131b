"""What fails, moves or vanishes meanwhile: nothing finished is lost, nothing is computed again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
import redis

from tea_runner.broker import redis_keys
from tea_runner.core.errors import OutsideError
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, push, spec, tree

pytestmark = pytest.mark.long

Counted = tuple[str, Callable[[], int]]

RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "raw/c.txt": "c\n"}
RESULTS = {"up/a.txt": "a\n", "up/b.txt": "b\n", "up/c.txt": "c\n"}


@pytest.fixture
def pushed(lab: Lab, counted: Counted) -> Callable[[], int]:
    """Three files and a pipeline that copies them, pushed but not announced; counts executions."""
    echo, count = counted
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", f"{echo}; {COPY}")})
    lab.push()
    return count


@pytest.fixture
def hands(lab: Lab, pushed: Callable[[], int]) -> Iterator[Callable[[str], Hands]]:
    """Hosts by name, moved by hand."""
    made: dict[str, Hands] = {}

    def host(name: str = "host") -> Hands:
        if name not in made:
            made[name] = Hands(lab, name)
        return made[name]

    yield host
    for each in made.values():
        each.close()


Hosts = Callable[..., Hands]


def test_redis_wiped_between_plan_and_work(
    lab: Lab, pushed: Callable[[], int], hands: Hosts
) -> None:
    """The reconciler plans again what Redis forgot; each datum still runs once."""
    hands().plan()
    hands().site.redis.flushall()

    assert [] == hands().work()
    hands().reconciler.round()
    lab.work_off()
    assert 3 == pushed()
    lab.pull()
    assert RESULTS == tree(lab, "up")


def test_redis_wiped_after_some_jobs(lab: Lab, pushed: Callable[[], int], hands: Hosts) -> None:
    """What finished jobs left on the forge is used; only the rest runs."""
    hands().plan()
    hands().work(2)
    assert 2 == pushed()
    hands().site.redis.flushall()

    hands().reconciler.round()
    lab.work_off()
    assert 1 == pushed()
    lab.pull()
    assert RESULTS == tree(lab, "up")


def test_a_redis_that_is_away_is_no_fault_of_a_job(
    lab: Lab, pushed: Callable[[], int], hands: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds a job done, and cannot say so, leaves it to the next: it is no failure of the job's."""
    one = hands("one")
    one.plan()
    (job, *_) = sorted(one.site.jobs.waiting())

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError("reset by peer")

    with monkeypatch.context() as patch:
        patch.setattr(one.site.jobs, "finish", away)
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                one.worker(job)
            one.site.redis.delete(redis_keys.lease(job))
    one.worker(job)
    facts = one.site.jobs.get(job)
    assert ("done", "") == (facts["state"], facts.get("error", ""))


def test_a_bug_is_not_the_end_of_a_job_that_the_world_held_up(
    lab: Lab, pushed: Callable[[], int], hands: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three bugs are, however many other attempts there were before or between them."""
    one = hands("one")
    one.plan()
    (job, *_) = sorted(one.site.jobs.waiting())
    errors: list[Exception] = [OutsideError("the forge is away"), OutsideError("again")]
    errors += [RuntimeError("a bug")] * 3
    monkeypatch.setattr("workers.failure_policy._LONGEST_WAIT", 0)
    monkeypatch.setattr("workers.job_runner.JobRunner.is_done", lambda *_: False)
    for number, error in enumerate(errors):
        assert "waiting" == one.site.jobs.get(job)["state"], number

        def do(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("workers.job_runner.JobRunner.run", do)
        one.worker(job)
    assert "failed" == one.site.jobs.get(job)["state"]


def test_deaths_make_no_pause_longer(
    lab: Lab, pushed: Callable[[], int], hands: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that died over a job say nothing of the forge: its first hiccup is tried again at once."""
    one = hands("one")
    one.plan()
    (job, *_) = sorted(one.site.jobs.waiting())

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    def hiccup(*_: object, **__: object) -> None:
        raise OutsideError("the forge is away")

    monkeypatch.setattr("workers.job_runner.JobRunner.is_done", lambda *_: False)
    for _ in range(2):
        monkeypatch.setattr("workers.job_runner.JobRunner.run", die)
        with pytest.raises(SystemExit):
            one.worker(job)
        one.site.redis.delete(redis_keys.lease(job))
    monkeypatch.setattr("workers.job_runner.JobRunner.run", hiccup)
    now = one.site.redis.time()
    assert isinstance(now, tuple)
    pauses = []
    for _ in range(4):
        one.worker(job)
        after = int(one.site.jobs.get(job).get("after", 0))
        pauses.append(max(0, after - int(now[0])))
        one.site.redis.hdel(redis_keys.job(job), "after")
    assert [True, True, False, False] == [pause <= 1 for pause in pauses]


def test_redis_wiped_after_everything(lab: Lab, pushed: Callable[[], int]) -> None:
    """A settled branch is planned again from git alone and found settled: no run, no commit."""
    lab.settle()
    pushed()
    tip = lab.tip()
    lab.site().redis.flushall()

    lab.settle()
    assert (0, tip) == (pushed(), lab.tip())


def test_a_new_host_continues_where_another_ended(
    lab: Lab, pushed: Callable[[], int], hands: Hosts
) -> None:
    """All state of the first host is gone, and Redis too: what is on the forge is enough."""
    hands("first").plan()
    hands("first").work(2)
    assert 2 == pushed()
    hands("first").site.redis.flushall()

    hands("second").plan()
    hands("second").work()
    assert 1 == pushed()
    hands("second").plan()
    lab.pull()
    assert RESULTS == tree(lab, "up")


def test_two_hosts_share_the_work(lab: Lab, pushed: Callable[[], int]) -> None:
    """Hosts that share nothing but queue, forge and storage run each datum once between them."""
    lab.settle("a", "b")
    assert 3 == pushed()
    lab.pull()
    assert RESULTS == tree(lab, "up")


def test_a_push_meanwhile_gets_the_results_of_what_it_kept(
    lab: Lab, pushed: Callable[[], int], hands: Hosts
) -> None:
    """The second push changes one of three files; the others' results are those of the first push."""
    hands().plan()
    lab.write({"raw/a.txt": "other\n"})
    lab.save()
    second = lab.push()
    hands().work()
    assert 3 == pushed()

    lab.settle()
    assert 1 == pushed()
    tip = lab.pull()
    assert tip != second
    assert second in lab.git("log", "--first-parent", "--format=%H").split()[1]
    assert {**RESULTS, "up/a.txt": "other\n"} == tree(lab, "up")


def test_a_rewound_branch_gets_the_results_of_where_it_is(
    lab: Lab, pushed: Callable[[], int], hands: Hosts
) -> None:
    """What was pushed away does not come back, and content that both have is not computed again."""
    lab.write({"raw/a.txt": "other\n"})
    lab.save()
    rewound = lab.push()
    hands().plan()
    hands().work()
    assert 3 == pushed()
    lab.git("reset", "-q", "--hard", "HEAD~1")
    lab.push("--force")

    lab.settle()
    assert 1 == pushed()
    lab.pull()
    assert RESULTS == tree(lab, "up")
    assert rewound not in lab.git("log", "--format=%H").split()


def test_jobs_of_a_commit_that_was_pushed_away_are_done_for_the_new_one(
    lab: Lab, pushed: Callable[[], int], hands: Hosts
) -> None:
    """A host that never saw the first commit can do the datums that both commits have."""
    hands("planner").plan()
    lab.git("commit", "-q", "--amend", "-m", "other words")
    lab.push("--force")
    hands("planner").plan()

    hands("elsewhere").work()
    lab.work_off("elsewhere")
    assert 3 == pushed()
    lab.pull()
    assert RESULTS == tree(lab, "up")


def test_a_deleted_branch_stays_deleted(lab: Lab, pushed: Callable[[], int], hands: Hosts) -> None:
    """Results of a branch that is gone are not published, and nothing fails."""
    lab.git("switch", "-q", "-c", "other")
    lab.push()
    hands().plan("other")
    hands().work()
    lab.git("push", "-q", "origin", ":other")

    assert hands().plan("other") is None
    assert "" == lab.tip("other")


def test_content_that_is_in_no_storage_is_named(lab: Lab, pushed: Callable[[], int]) -> None:
    """Nothing is published; the pipeline names files, where they were looked for, and what mends it."""
    tip = lab.tip()
    shutil.rmtree(lab.store)
    lab.store.mkdir()
    run = lab.settle()
    assert run is not None
    (pipeline,) = run.pipelines

    assert (0, "running", tip) == (pushed(), pipeline.state, lab.tip())
    named = [row.label.removeprefix("in:") for row in pipeline.datums if row.action == "wait"]
    assert named, pipeline
    for row in pipeline.datums:
        if row.action == "wait":
            path = f"raw/{row.label.removeprefix('in:')}"
            assert f"files have no content in store: {path}" in row.detail
            assert f"git annex copy --to store {path} && git push origin git-annex" in row.detail
            assert "MD5E" not in row.detail


def test_content_that_comes_later_is_found_by_the_next_push(
    lab: Lab, pushed: Callable[[], int]
) -> None:
    """Content was copied to storage after the first push: the next push runs, with no retry asked."""
    shutil.move(lab.store, lab.root / "elsewhere")
    lab.store.mkdir()
    lab.settle()
    lab.store.rmdir()
    shutil.move(lab.root / "elsewhere", lab.store)

    assert Step(3, True, "settled") == push(lab, pushed, {"README.md": "again\n"})


def test_a_manifest_larger_than_a_pointer_is_read_by_every_host(lab: Lab, counted: Counted) -> None:
    """Five hundred datums, settled by one host, are settled for a host that has just come."""
    echo, count = counted
    files = {f"raw/{number:03}.txt": f"{number}\n" for number in range(500)}
    up = spec("up", f"{echo}; {COPY}")
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": up})
    assert Step(500, True, "settled") == push(lab, count)
    assert 32768 < len(lab.git("show", "HEAD:up/manifest.tsv"))
    lab.git("commit", "-q", "--allow-empty", "-m", "once more")
    tip = lab.push()
    new = Hands(lab, "new")

    try:
        advance = new.plan()
        assert advance is not None
        assert {"up": {"current": 500}} == {n: p.counts for n, p in advance.pipelines.items()}
        assert tip == lab.tip()
    finally:
        new.close()


def test_bytes_of_inputs_that_were_fetched_are_told(lab: Lab, pushed: Callable[[], int]) -> None:
    """By each job that fetched some; what was there already counts for nothing."""
    run = lab.settle()
    assert run is not None
    jobs = lab.site().jobs.facts([job for row in run.pipelines for job in row.jobs])
    sizes = sum(map(len, RAW.values()))
    assert sizes == sum(facts.fetched or 0 for facts in jobs.values())
