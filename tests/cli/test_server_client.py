"""Verbs about runs as clients of a server's API: they need neither Redis nor its password."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tea_runner.broker.job_logs import JobLog
from tea_runner.cli import remote_runs
from tea_runner.cli.server_client import ServerClient
from tea_runner.core.access import AccessLevel
from tea_runner.host import process
from tea_runner.wiring import Site
from tests.cli.dataset import Dataset, tea
from tests.looking import COMMIT, REPOSITORY, RUN, begin, broker, fail, make_job, save, site
from tests.planner_at_work import planner_at_work
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger

__all__ = ["broker", "site"]

JOBS = [make_job(number) for number in (1, 2, 3)]
Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    """A server with a running, a failed and a waiting job; ``ada`` writes, ``eve`` sees nothing."""
    accounts = MemoryAccounts()
    for name in ("ada", "eve"):
        accounts.add(name, f"{name}-token")
    accounts.let("ada", REPOSITORY, AccessLevel.WRITE)
    vars(site)["accounts"] = accounts
    vars(site)["trusted_branches"] = lambda *_: ("main",)
    begin(site, JOBS[0], b"hello\x1b[2J\n")
    fail(site, JOBS[1])
    site.jobs.enqueue(JOBS[2])
    save(site, JOBS)
    server = make_server("127.0.0.1", 0, make_stranger(site).application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with planner_at_work(site):
        yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def cli(served: str, tmp_path: Path) -> Cli:
    """``tea-runner`` on a laptop with a token."""

    def call(
        *words: str, who: str = "ada", url: str = served, typed: bytes = b""
    ) -> tuple[int, str]:
        file = tmp_path / "token"
        file.write_text(f"{who}-token\n")
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TEA_RUNNER_SERVER": url}
        env |= {"TEA_RUNNER_SERVER_TOKEN_FILE": str(file)} if who else {}
        argv = [sys.executable, "-m", "tea_runner", *words]
        done = process.run(argv, env=env, cwd=Path.cwd(), stdin=typed, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    return call


def test_runs_and_their_documents_are_those_of_the_server(cli: Cli) -> None:
    """As ``--json`` prints them beside Redis."""
    code, text = cli("--json", "runs")
    assert (0, [RUN]) == (code, [row["id"] for row in json.loads(text)])
    assert RUN in cli("runs", REPOSITORY)[1]
    for name in (RUN, COMMIT[:8], REPOSITORY):
        assert RUN == json.loads(cli("--json", "show", name)[1])["id"]
    assert "failed: edges images:2.jpg" in cli("show", RUN)[1]
    assert JOBS[1].id == json.loads(cli("--json", "show", JOBS[1].id[:10])[1])["id"]


@pytest.mark.long
def test_a_log_shows_no_control_characters(cli: Cli) -> None:
    """Unless its raw bytes are asked for."""
    assert (0, "hello\\x1b[2J\n") == cli("logs", JOBS[0].id[:10])
    assert (0, "hello\x1b[2J\n") == cli("logs", "--raw", JOBS[0].id)


@pytest.mark.parametrize("raw", [False, True])
def test_a_log_is_followed_over_one_connection(
    site: Site, served: str, capfdbinary: pytest.CaptureFixture[bytes], raw: bool
) -> None:
    """The server sends what is new; nobody asks each second."""
    job = make_job(9)
    save(site, [*JOBS, job])
    claim = begin(site, job, b"one\n")
    client = ServerClient(served, {"TEA_RUNNER_SERVER_TOKEN": "ada-token"})
    asked: list[str] = []
    client._session.hooks["response"].append(lambda answer, *_, **__: asked.append(answer.url))
    words = {"failed": False, "follow": True, "raw": raw, "as_json": False}
    thread = threading.Thread(target=lambda: remote_runs.logs(client, job.id, None, **words))
    thread.start()
    time.sleep(1.5)
    JobLog(site.redis, job.id, 1 << 20).write(b"two \xff\n")
    site.jobs.finish(claim, "done")
    thread.join(20)
    assert not thread.is_alive()
    assert (
        b"one\ntwo \xff\n" if raw else "one\ntwo \ufffd\n".encode()
    ) == capfdbinary.readouterr().out
    assert 1 == sum(url.endswith("/events") for url in asked)
    assert 0 == sum(url.endswith(f"/jobs/{job.id}") for url in asked)


@pytest.mark.long
def test_logs_of_a_run_are_those_of_its_jobs(cli: Cli) -> None:
    """All, those of failed datums, or that of one datum."""
    assert "hello" in cli("logs", RUN)[1]
    for words in (("--failed",), ("images:2.jpg",)):
        code, text = cli("logs", RUN, *words)
        assert (0, True, False) == (code, "no such colour" in text, "hello" in text)
    assert 1 == cli("logs", RUN, "none")[0]


@pytest.mark.long
def test_writers_cancel_retry_and_wait(site: Site, cli: Cli) -> None:
    """The server notes who did it; the exit code of ``wait`` is the run's."""
    assert (4, True) == (cli("wait", RUN, "--timeout", "0")[0], True)
    ended = json.loads(cli("--json", "cancel", RUN)[1])
    assert ([JOBS[2].id], [JOBS[0].id]) == (ended["cancelled"], ended["stopping"])
    assert "ada" == site.jobs.facts([JOBS[2].id])[JOBS[2].id].cancelled_by
    done = json.loads(cli("--json", "retry", RUN)[1])
    assert REPOSITORY == done["repository"]
    assert done["retried"] > 0


def test_single_datums_are_recomputed(cli: Cli) -> None:
    """By their names; what the run does not have is said."""
    done = json.loads(cli("--json", "recompute", RUN, "images:old1.jpg")[1])
    assert (1, True) == (done["datums"], bool(done["run"]))
    code, text = cli("recompute", RUN, "none")
    assert (1, True) == (code, "no pipeline or datum none" in text)


@pytest.mark.long
def test_others_are_told_that_there_is_nothing(cli: Cli) -> None:
    """As of what does not exist."""
    assert cli("show", RUN, who="eve") == cli("show", "0" * 12, who="eve")
    assert (0, "[]\n") == cli("--json", "runs", who="eve")


@pytest.mark.long
def test_what_is_wrong_with_server_or_token_is_said(cli: Cli, served: str) -> None:
    """With the variable that mends it."""
    code, text = cli("runs", who="nobody")
    assert (1, True) == (code, "does not accept the token" in text)
    code, text = cli("runs", who="")
    assert (2, True) == (code, "TEA_RUNNER_SERVER_TOKEN_FILE is not set" in text)
    assert "does not answer" in cli("runs", url="http://127.0.0.1:9")[1]
    assert "expected a URL" in cli("runs", url="tea.example")[1]


def test_a_verb_that_asks_no_server_refuses_one(tmp_path: Path) -> None:
    """It would answer for the folder of this machine instead; a variable is for all verbs."""
    said = tea(tmp_path, "--server", "http://127.0.0.1:9", "lint")

    assert 2 == said.code
    assert "--server: lint asks no server; " in said.err
    named = {"TEA_RUNNER_SERVER": "http://127.0.0.1:9"}
    assert "is in no git repository" in tea(tmp_path, "plan", env=named).err


def test_the_room_of_a_servers_job_is_made_again(
    cli: Cli, site: Site, served: str, dataset: Dataset
) -> None:
    """In a clone that has the commit: the datum that failed, or the one that is named."""
    rows = json.loads(dataset.tea("--json", "datums", "shout").out)
    pairs = tuple((row["datum"], row["key"]) for row in rows)
    commit = dataset.do("git", "rev-parse", "HEAD")
    job = replace(make_job(9, pipeline="shout"), commit=commit, datums=pairs)
    claim = begin(site, job)
    site.jobs.finish(claim, "failed", "it failed", failures={pairs[1][1]: "it failed"})
    save(site, [job], commit=commit)
    dataset.save({"raw/b.txt": "new\n"})
    where = ("-q", "-C", str(dataset.path), "-c", "sandbox.kind=off", "--server", served)
    words = (*where, "shell", job.id[:10])
    code, text = cli(*words, typed=b"cat $PFS/in/*\n")
    assert (0, "bb\n") == (code, text)
    code, text = cli(*words, "in:a.txt", typed=b"cat $PFS/in/*\n")
    assert (1, True) == (code, "is no failed datum of the job" in text)
