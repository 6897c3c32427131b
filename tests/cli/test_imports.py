"""Verbs that need no server start without the libraries of a server."""

from __future__ import annotations

import inspect
import os
import resource
import sys
from pathlib import Path

import click
import pytest

from tea_runner.cli.main import cli
from tea_runner.cli.verbs import SHORT_HELP
from tea_runner.host import process
from tests.cli.dataset import Dataset

_SERVER = {"flask", "gunicorn", "prometheus_client", "redis", "requests", "rich", "rq", "urllib3"}
#: Draws the progress bar.
_USED_BY = {"run": {"rich"}}


@pytest.mark.parametrize(
    "typed",
    [
        "--help",
        "--version",
        "lint",
        "plan",
        "datums",
        "status",
        "why shout",
        "dag",
        "resolve",
        "lineage shout",
        "init per-file",
        "config show",
        "completion bash",
        "lint --help",
        "run -y",
    ],
)
def test_a_local_verb_imports_no_library_of_a_server(dataset: Dataset, typed: str) -> None:
    """The list of imported modules has no web framework, no queue, no HTTP client."""
    done = process.run(
        [sys.executable, "-X", "importtime", "-m", "tea_runner", *typed.split()],
        env={**os.environ, "TEA_RUNNER_SANDBOX__KIND": "off"},
        cwd=dataset.path,
        check=False,
    )
    lines = done.stderr.decode().splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if "import time:" in line}

    assert 0 == done.returncode, done.stderr[-500:]
    assert "tea_runner.cli.main" in imported or "tea_runner.cli.verbs" in imported
    assert _USED_BY.get(typed.split()[0], set()) == imported & _SERVER


def test_help_imports_no_verb() -> None:
    """``--help`` and completion read a table."""
    done = process.run(
        [sys.executable, "-X", "importtime", "-m", "tea_runner", "--help"], env=os.environ
    )
    assert "tea_runner.cli.open_dataset" not in done.stderr.decode()
    assert "tea_runner.cli.lint" not in done.stderr.decode()
    assert "tea_runner.settings" not in done.stderr.decode()


def test_help_takes_a_fifth_of_the_time_of_datalads() -> None:
    """In processor time, the least of three calls: other work on the machine does not count."""
    seconds: dict[str, list[float]] = {"tea-runner": [], "datalad": []}
    for _ in range(3):
        for program, times in seconds.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            path = Path(sys.executable).with_name(program)
            process.run([str(path), "--help"], env=os.environ)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds["tea-runner"]) <= min(seconds["datalad"]) / 5


def test_the_short_help_is_the_first_line_of_the_help() -> None:
    """The table of verbs and the commands say the same."""
    context = click.Context(cli)
    for name, words in SHORT_HELP.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (name, words) == (name, inspect.cleandoc(command.help or "").split("\n\n")[0])
