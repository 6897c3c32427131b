"""Completion in shells: verbs, pipelines, datums, runs, jobs, repositories, settings and files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.completion import command
from tea_runner.host import process
from tests.cli.dataset import Dataset
from tests.looking import REPOSITORY, RUN, broker, make_job, make_site, process_env, save

__all__ = ["broker"]


def complete(folder: Path, line: str, **env: str) -> list[str]:
    """What bash would show after this line, with the function of the printed script itself."""
    run = folder.parent / "bin" / "tea-runner"
    run.parent.mkdir(exist_ok=True)
    run.write_text(f'#!/bin/sh\nexec {sys.executable} -m tea_runner "$@"\n')
    run.chmod(0o755)
    path = f"{run.parent}:{os.environ['PATH']}"
    printed = CliRunner().invoke(command, ["bash"]).output
    script = (
        f'compopt() {{ echo "compopt $2"; }}; {printed}\n'
        'COMP_LINE=$1 COMP_POINT=${#1}; _tea_runner_completion tea-runner; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = process.run(
        ["bash", "--norc", "-c", script, "bash", line],
        env={**os.environ, "TEA_RUNNER_SANDBOX__KIND": "off", **env, "PATH": path},
        cwd=folder,
    )
    assert b"" == done.stderr
    return done.stdout.decode().split("\n")[:-1]


def test_names_of_a_dataset(dataset: Dataset) -> None:
    """Pipelines and datums; behind a colon bash replaces what follows it only."""
    assert ["shout"] == complete(dataset.path, "tea-runner plan sh")
    assert ["table"] == complete(dataset.path, "tea-runner plan shout t")
    assert ["shout", "table", "in:a.txt", "in:b.txt"] == complete(dataset.path, "tea-runner run ")
    dataset.save({"raw/c *.txt": "c"})
    assert ["c\\ \\*.txt"] == complete(dataset.path, "tea-runner run in:c")
    assert ["a.txt"] == complete(dataset.path, "tea-runner run in:a")
    assert ["shout"] == complete(dataset.path.parent, f"tea-runner -C {dataset.path} status s")


def test_names_of_settings_verbs_and_files(dataset: Dataset) -> None:
    """Without a dataset or a server; ``-c`` waits for a value."""
    assert ["web.port"] == complete(dataset.path, "tea-runner config show web.por")
    assert ["compopt nospace", "web.port="] == complete(dataset.path, "tea-runner -c web.por")
    assert ["compopt default", ""] == complete(dataset.path, "tea-runner lineage ra")
    assert ["bash"] == complete(dataset.path, "tea-runner completion b")


def test_an_error_completes_nothing(tmp_path: Path) -> None:
    """No dataset, no server: silence."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for line in ("run ", "show ", "-c redis.url=nothing runs "):
        assert [""] == complete(folder, f"tea-runner {line}"), line


def test_names_of_a_server(broker: RedisServer, tmp_path: Path) -> None:
    """Runs, jobs and repositories."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    job = make_job(1)
    save(site, [job])
    env = {**process_env(broker, tmp_path), "TEA_RUNNER_STATE": str(tmp_path / "state")}
    folder = tmp_path / "x"
    folder.mkdir()
    assert [RUN, job.id] == complete(folder, "tea-runner show ", **env)
    assert [RUN, REPOSITORY] == complete(folder, "tea-runner wait ", **env)
    assert [REPOSITORY] == complete(folder, f"tea-runner webhook remove {REPOSITORY[:2]}", **env)
    site.redis.close()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_names(dataset: Dataset, shell: str) -> None:
    """By the protocol of their scripts."""
    env = {**os.environ, "_TEA_RUNNER_COMPLETE": f"{shell}_complete", "COMP_CWORD": "2"}
    env["COMP_WORDS"] = "tea-runner plan sh"
    if shell == "fish":
        env["COMP_CWORD"] = "sh"
    done = process.run([sys.executable, "-m", "tea_runner"], env=env, cwd=dataset.path)
    assert "shout" in done.stdout.decode()
