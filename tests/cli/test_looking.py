"""The verbs that look at a server, and those that stop and retry: words, JSON, exit codes."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tea_runner.broker import redis_keys
from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.main import cli
from tea_runner.core.errors import NotFound, TeaError
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.host import process
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RESULTS, RUN, begin, fail, make_job, save


class Terminal:
    """``tea-runner`` with the settings of a site."""

    def __init__(self, site: Site, broker: RedisServer) -> None:
        self._flags = ["-c", f"state={site.settings.state}", "-c", f"redis.url={broker.url}"]
        self._flags += ["-c", "forge.url=http://forge.example:3000"]
        # Without this setting the forge is asked, which does not exist here.
        self._flags += ["-c", 'trusted_branches=["main"]']

    def __call__(self, *words: str, json_too: bool = False) -> Result:
        """Type a command; errors of ours come out as they are raised."""
        flags = [*self._flags, "--json"] if json_too else self._flags
        env = {"PATH": os.environ["PATH"]}
        result = CliRunner().invoke(cli, [*flags, *words], env=env, standalone_mode=False)
        if isinstance(result.exception, TeaError):
            raise result.exception
        assert result.exception is None, result.exc_info
        return result

    def code(self, *words: str) -> int:
        """The exit code of a command."""
        value = self(*words).return_value
        return value if isinstance(value, int) else 0

    def data(self, *words: str) -> Any:
        """What a command answers to programs."""
        return json.loads(self(*words, json_too=True).stdout)


@pytest.fixture
def tea(site: Site, broker: RedisServer) -> Terminal:
    """The command line."""
    return Terminal(site, broker)


def test_no_colour_is_printed_with_no_color(site: Site, broker: RedisServer) -> None:
    """NO_COLOR turns colours off, also on a terminal."""
    save(site, [make_job()])
    printed = {}
    for value in ("", "1"):
        env = {**site.variables, "TEA_RUNNER_REDIS__URL": broker.url, "NO_COLOR": value}
        result = CliRunner().invoke(cli, ["runs"], env=env, color=True, standalone_mode=False)
        assert result.exception is None, result.exc_info
        printed[value] = "\x1b[" in result.stdout
    assert {"": True, "1": False} == printed


def test_runs_lists_what_is_remembered(site: Site, tea: Terminal) -> None:
    """One line each with state, id, repository, branch, commit and counts."""
    save(site, [make_job()])
    save(site, [], state="settled", commit="a" * 40, branch="other", title="Older")
    lines = tea("runs").stdout.splitlines()
    assert lines[0].startswith("↻ reused")
    assert "aaaaaaaaaa  4 reused" in lines[0]
    assert f"○ waiting    {RUN}  lab/edges  main  {COMMIT[:10]}  3 reused, 1 waiting" in lines[1]
    assert ["reused", "waiting"] == [row["state"] for row in tea.data("runs")]


def test_runs_can_be_chosen(site: Site, tea: Terminal) -> None:
    """By repository, state and number; nothing found is said beside the results."""
    save(site, [make_job()])
    save(site, [], state="settled", commit="a" * 40, branch="other")
    assert [RUN] == [row["id"] for row in tea.data("runs", "--state", "waiting")]
    assert 1 == len(tea.data("runs", "-n", "1"))
    assert [] == tea.data("runs", "lab/other")
    nothing = tea("runs", "lab/other")
    assert nothing.stdout == ""
    assert "No runs of lab/other" in nothing.stderr


@pytest.mark.parametrize("name", [RUN, COMMIT, COMMIT[:8], REPOSITORY])
def test_show_finds_a_run_by_any_of_its_names(site: Site, tea: Terminal, name: str) -> None:
    """Pipelines as a picture in text, what is not finished with its reason, where its page is."""
    job = make_job()
    fail(site, job, "the command ended with code 1")
    save(site, [job])
    text = tea("show", name).stdout
    assert "▶ running" in text or "○ waiting" in text
    assert "○ montage ← edges  waiting for edges" in text
    assert (
        "failed(new): edges images:1.jpg  it had not been computed before; "
        f"the command ended with code 1  {job.id[:10]}"
    ) in text
    assert f"/runs/{RUN}" in text
    assert "images:old1.jpg" not in text
    assert "images:old1.jpg" in tea("show", name, "--all").stdout
    assert tea.data("show", name)["counts"] == {"failed": 1, "reused": 3}


def test_show_leads_to_the_results(site: Site, tea: Terminal) -> None:
    """The results commit's page on the forge."""
    save(site, [], state="settled")
    page = f"http://forge.example:3000/lab/edges/commit/{RESULTS}"
    assert f"results(edges): {page}" in tea("show", RUN).stdout


def test_show_names_the_branch_with_results(site: Site, tea: Terminal) -> None:
    """Where results are beside the branch, with its page on the forge."""
    name = "tea/results/fix"
    run = save(site, [], state="settled", branch="fix", results_branch=name)
    page = f"http://forge.example:3000/lab/edges/src/branch/{name}"
    assert f"results branch: {name}  {page}" in tea("show", run.id).stdout


def test_show_shows_a_job_by_the_beginning_of_its_id(site: Site, tea: Terminal) -> None:
    """Facts in a column, datums with reasons, and the next command."""
    job = make_job()
    begin(site, job)
    save(site, [job])
    text = tea("show", job.id[:10]).stdout
    assert "worker:    worker-node1-77-ab12" in text
    assert "running(new): images:1.jpg  it had not been computed before" in text
    assert f"tea-runner logs {job.id[:10]}" in text
    assert tea.data("show", job.id)["run"] == RUN


def test_what_is_not_there_is_named(tea: Terminal) -> None:
    """One sentence with the next step, for every verb."""
    for words in (
        ("show", "nothing"),
        ("logs", "0" * 32),
        ("wait", "0" * 12),
        ("cancel", "x"),
        ("retry", "lab/none"),
        ("logs", "*"),
        ("show", "\udcff"),
    ):
        with pytest.raises(NotFound, match="there is no"):
            tea(*words)


def test_two_jobs_with_one_beginning_are_not_guessed_between(site: Site, tea: Terminal) -> None:
    """The sentence asks for more digits."""
    for last in "ab":
        site.redis.hset(redis_keys.job(f"{'c' * 31}{last}"), "state", "waiting")
    with pytest.raises(TeaError, match="2 jobs begin with cccccc; give more digits"):
        tea("logs", "cccccc")


def test_logs_are_harmless_unless_raw(site: Site, tea: Terminal) -> None:
    """What a terminal would obey is an escape; the bytes themselves are for the asking."""
    job = make_job()
    printed = b"\x1b[2Jcleared \xc3\xa4\r\n\xff\n"
    begin(site, job, printed)
    assert tea("logs", job.id).stdout == "\\x1b[2Jcleared ä\n\ufffd\n"
    assert tea("logs", job.id, "--raw").stdout_bytes == printed
    assert tea.data("logs", job.id)["log"] == printed.decode("utf-8", "replace")


def test_logs_can_be_followed_to_the_end(site: Site, tea: Terminal) -> None:
    """What is printed while one looks is shown, once, and the end is told."""
    job = make_job()
    claim = begin(site, job, b"one\n")

    def work() -> None:
        log = JobLog(site.redis, job.id, 1 << 20)
        for line in (b"two\n", b"three\n"):
            time.sleep(0.3)
            log.write(line)
        site.jobs.finish(claim, "done")

    thread = threading.Thread(target=work)
    thread.start()
    result = tea("logs", "--follow", job.id)
    thread.join()
    assert result.stdout == "one\ntwo\nthree\n"
    assert result.stderr.strip() == "done"


@pytest.mark.parametrize(
    ("state", "code"), [("settled", 0), ("failed", 1), ("blocked", 1), ("running", 4)]
)
def test_wait_ends_with_the_verdict(site: Site, tea: Terminal, state: str, code: int) -> None:
    """0 for success, 1 for anything else, 4 when the time is over first."""
    save(site, [], state=state)
    assert code == tea.code("wait", RUN, "--timeout", "0.1")


def test_wait_knows_for_which_commit_a_results_commit_is(
    site: Site, tea: Terminal, tmp_path: Path
) -> None:
    """A results commit has no run of its own: in a clone, the run of its inputs is waited for."""
    save(site, [make_job()], state="settled")
    env = dict(os.environ)
    process.run(["git", "init", "-q", str(tmp_path / "clone")], env=env)
    message = f"up: 1 of 1 datums changed\n\nTea-Pipeline: up\nTea-Input: {COMMIT}\n"
    commit = ("git", "commit", "-q", "--allow-empty", "-m", message)
    process.run(commit, env=env, cwd=tmp_path / "clone")
    head = process.run(["git", "rev-parse", "HEAD"], env=env, cwd=tmp_path / "clone").stdout
    place = ("-C", str(tmp_path / "clone"))
    assert 0 == tea.code(*place, "wait", head.decode().strip(), "--timeout", "5")
    assert (
        f"is a results commit for {COMMIT[:12]}"
        in tea(*place, "wait", head.decode().strip(), "--timeout", "5").stderr
    )


def test_wait_waits_for_a_commit_that_was_just_pushed(site: Site, tea: Terminal) -> None:
    """The run need not be known yet; the beginning of a commit is not enough for that."""
    timer = threading.Timer(0.7, lambda: save(site, [], state="settled"))
    timer.start()
    assert 0 == tea.code("wait", COMMIT, "--timeout", "20")
    timer.join()
    assert 4 == tea.code("wait", "b" * 40, "--timeout", "0.1")
    with pytest.raises(NotFound):
        tea("wait", "b" * 12, "--timeout", "0.1")


def test_cancel_stops_all_jobs_of_a_run(site: Site, tea: Terminal) -> None:
    """Waiting ones at once, running ones when their worker looks, ended ones not at all."""
    jobs = [make_job(number) for number in range(3)]
    site.jobs.finish(begin(site, jobs[0]), "done")
    claim = begin(site, jobs[1])
    site.jobs.enqueue(jobs[2])
    save(site, jobs)
    assert tea("cancel", RUN).stdout == "1 cancelled, 1 stopping, 1 already ended\n"
    assert site.jobs.is_cancelled(claim)
    site.jobs.release(claim)
    assert "cancelled(new): edges images:2.jpg" in tea("show", RUN).stdout
    expected = {"cancelled": [], "stopping": [], "ended": [job.id for job in jobs]}
    assert expected == tea.data("cancel", RUN)
    assert tea("cancel", jobs[0].id).stdout == "Nothing to cancel: the job has ended.\n"


def test_retry_forgets_what_failed_and_plans_again(site: Site, tea: Terminal) -> None:
    """Failed and cancelled datums of a run, and nothing else."""
    jobs = [make_job(number) for number in range(3)]
    fail(site, jobs[0])
    site.jobs.enqueue(jobs[1])
    site.jobs.cancel(jobs[1].id)
    site.jobs.finish(begin(site, jobs[2]), "done")
    save(site, jobs)
    keys = [key for job in jobs for _, key in job.datums]
    assert 2 == len(site.jobs.failures(REPOSITORY, keys))
    site.redis.delete("rq:queue:tea-plan", redis_keys.plan_requests())
    assert "2 datums will run again" in tea("retry", RUN).stdout
    assert {} == site.jobs.failures(REPOSITORY, keys)
    assert site.queues.length("plan") == 1
    assert "No datum has failed or waits" in tea("retry", RUN).stdout


def test_retry_of_what_waits(site: Site, tea: Terminal) -> None:
    """Datums without content and jobs that wait for their next try go on now, as failed ones do."""
    waits, lacks = make_job(1), make_job(2)
    claim = begin(site, waits)
    site.jobs.count(waits.id, "troubles")
    site.jobs.retry_later(claim, "the storage does not answer", wait=300)
    site.jobs.record_missing(lacks, "a", "no content")
    rows = [DatumRow("a", waits.datums[0][1], "run", "new")]
    rows += [DatumRow("b", lacks.datums[0][1], "wait", "content-missing")]
    run = save(site, [waits])
    (edges, *more) = run.pipelines
    site.runs.save(replace(run, pipelines=[replace(edges, datums=rows), *more]))

    assert 2 == tea.data("retry", RUN)["retried"]

    assert {} == site.jobs.missing(REPOSITORY, [lacks.datums[0][1]])
    assert site.jobs.claim(waits.id, "worker", "token") is not None


def test_recompute_takes_a_datum_after_its_pipeline(site: Site, tea: Terminal) -> None:
    """The pair is that datum; the pipeline alone is all of it."""
    job = make_job(1, "images:1.jpg", "images:2.jpg")
    save(site, [job], state="settled")
    keys = dict(job.datums)

    pair = tea.data("recompute", RUN, "edges", "images:1.jpg")["recompute"]
    assert [keys["images:1.jpg"]] == pair
    assert pair == tea.data("recompute", RUN, "edges images:1.jpg")["recompute"]
    assert ["edges"] == tea.data("recompute", RUN, "edges")["recompute"]


def test_wait_follows_a_retry(site: Site, tea: Terminal) -> None:
    """``retry X; wait X`` waits for the new run, which names the one before and its cause."""
    job = make_job()
    save(site, [job], state="failed")
    fail(site, job)
    new = tea.data("retry", RUN)["run"]

    assert 4 == tea.code("wait", "--timeout", "0", RUN)
    shown = tea.data("show", new)
    assert ("waiting", "retry requested", RUN, 2) == tuple(
        shown[name] for name in ("state", "cause", "previous", "attempt")
    )
    assert "failed" == tea.data("show", RUN)["state"]
    site.runs.supersede(new, "the branch main was deleted")
    assert 1 == tea.code("wait", RUN)
    assert "superseded" in tea("runs").stdout


def test_retry_knows_the_branch(site: Site, tea: Terminal) -> None:
    """What failed on a branch that is not trusted failed in that branch's own ledger."""
    job = replace(make_job(), branch="feature", scope=scope_of("feature", ["main"]))
    fail(site, job)
    keys = [key for _, key in job.datums]
    assert 1 == len(site.jobs.failures(job.queue_namespace, keys))
    answer = tea.data("retry", job.id)
    assert answer == {"repository": REPOSITORY, "branch": "feature", "retried": 1, "run": ""}
    assert {} == site.jobs.failures(job.queue_namespace, keys)


def test_retry_takes_a_single_job(site: Site, tea: Terminal) -> None:
    """The others stay as they are."""
    jobs = [make_job(number) for number in range(2)]
    for job in jobs:
        fail(site, job)
    answer = tea.data("retry", jobs[0].id)
    assert answer == {"repository": REPOSITORY, "branch": "main", "retried": 1, "run": ""}
    keys = [key for job in jobs for _, key in job.datums]
    assert [keys[1]] == list(site.jobs.failures(REPOSITORY, keys))


def test_hostile_names_reach_no_terminal(site: Site, tea: Terminal) -> None:
    """Titles, branches and errors are shown with their control characters as escapes."""
    bad = "\x1b]0;owned\x07\udcff\n"
    job = make_job(1, f"images:{bad}")
    fail(site, job, bad.replace("\udcff", ""))
    save(site, [job], title=bad, author=bad, problems=[bad])
    for words in (("runs",), ("show", RUN), ("show", job.id)):
        text = tea(*words).stdout
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\\x1b]0;owned" in text
