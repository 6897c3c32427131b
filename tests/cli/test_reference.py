"""The page of commands, completion scripts, settings and checks say what the code says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.cli_reference import reference
from tests.cli.dataset import tea

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_of_commands_is_current() -> None:
    """Write it anew with: python -m tea_runner.cli.cli_reference >docs/reference/cli.md."""
    assert reference() == _PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(tmp_path: Path, shell: str) -> None:
    """It asks the program itself for what may follow."""
    said = tea(tmp_path, "completion", shell)

    assert 0 == said.code
    assert f"_TEA_RUNNER_COMPLETE={shell}_complete" in said.out


def test_settings_are_shown_with_their_source_and_without_secrets(tmp_path: Path) -> None:
    """A variable is named as the source; a token is masked."""
    env = {"TEA_RUNNER_FORGE__TOKEN": "s3cret", "TEA_RUNNER_WEB__PORT": "99"}
    said = tea(tmp_path, "config", "show", "--set", env=env)

    assert "web.port = 99  # TEA_RUNNER_WEB__PORT" in said.lines
    assert 'forge.token = "***"  # TEA_RUNNER_FORGE__TOKEN' in said.lines
    assert "s3cret" not in said.out


def test_a_settings_file_is_written_once(tmp_path: Path) -> None:
    """It changes nothing, and an existing one stays."""
    file = tmp_path / "settings.toml"
    assert 0 == tea(tmp_path, "--config", str(file), "config", "init").code
    assert file.read_text() == tea(tmp_path, "config", "generate").out
    assert tea(tmp_path, "--config", str(file), "config", "show").out.count("# default") > 20

    said = tea(tmp_path, "--config", str(file), "config", "init")
    assert (1, True) == (said.code, "exists; edit it" in said.err)


def test_check_has_a_line_for_each_thing(tmp_path: Path) -> None:
    """On a laptop without a server: what is needed is ok, the rest are warnings, the code is 0."""
    said = tea(tmp_path, "check", "--json")
    found = {row["name"]: row["state"] for row in said.json}

    assert 0 == said.code, said
    assert {"git": "ok", "git-annex": "ok", "datalad": "ok", "state folder": "ok"}.items() <= (
        found.items()
    )
    assert {"sandbox": "warning", "redis": "warning", "storage": "warning"}.items() <= found.items()


@pytest.mark.long
def test_check_fails_for_what_was_asked_for_and_is_not_there(tmp_path: Path) -> None:
    """A queue that was set and does not answer is an error that names the setting."""
    said = tea(tmp_path, "check", env={"TEA_RUNNER_REDIS__URL": "redis://127.0.0.1:1/0"})

    assert 1 == said.code
    assert "redis(error): it does not answer: " in said.out


@pytest.mark.long
def test_check_tells_what_is_missing(tmp_path: Path) -> None:
    """Without git on PATH the line says how to get it."""
    said = tea(tmp_path, "check", env={"PATH": str(tmp_path)})

    assert (
        "git(error): git is not on PATH; install git 2.36 or newer (apt install git)" in said.lines
    )


@pytest.mark.long
def test_check_tells_that_nobody_plans_or_works(tmp_path: Path, broker: RedisServer) -> None:
    """A queue that answers but that nobody empties is why nothing happens after a push."""
    said = tea(tmp_path, "check", env={"TEA_RUNNER_REDIS__URL": broker.url})

    assert "planner(warning): none runs, so pushes wait; start one with: tea-runner planner" in (
        said.lines
    )
    assert "workers(warning): none runs, so jobs wait; start one with: tea-runner worker" in (
        said.lines
    )


@pytest.mark.long
def test_the_log_format_is_an_option_and_a_setting(tmp_path: Path, broker: RedisServer) -> None:
    """A warning of a process is a JSON object with --log-format json, and with log.format."""
    state = {"TEA_RUNNER_STATE": str(tmp_path), "TEA_RUNNER_REDIS__URL": broker.url}
    for words, env in (
        (["--log-format", "json"], {}),
        ([], {"TEA_RUNNER_LOG__FORMAT": "json"}),
    ):
        said = tea(
            tmp_path,
            *words,
            *("-c", "forge.url=http://127.0.0.1:1", "-c", "repositories=a/*"),
            *("reconcile", "--once"),
            env={**state, **env},
        )
        rows = [json.loads(line) for line in said.err.splitlines()]
        assert {"workers.reconciler"} == {row["logger"] for row in rows}, said


@pytest.mark.long
@pytest.mark.parametrize(("former", "verb"), [("pull", "pr"), ("hook", "webhook")])
def test_former_names_of_verbs_work_and_are_not_shown(
    tmp_path: Path, former: str, verb: str
) -> None:
    """Scripts of people go on; help and completion know the new names only."""
    former_help, help_now = tea(tmp_path, former, "--help"), tea(tmp_path, verb, "--help")
    assert (0, help_now.out) == (
        former_help.code,
        former_help.out.replace(f" {former} ", f" {verb} ", 1),
    )
    shown = tea(tmp_path, "--help").lines
    assert [] == [line for line in shown if line.strip().startswith(f"{former} ")]
    assert any(line.strip().startswith(f"{verb} ") for line in shown)
    env = {
        "_TEA_RUNNER_COMPLETE": "bash_complete",
        "COMP_WORDS": f"tea-runner {verb[:2]}",
        "COMP_CWORD": "1",
    }
    completed = tea(tmp_path, env=env).out
    assert f"plain,{verb}\n" in completed
    assert f"plain,{former}\n" not in completed
