"""The configuration of git belongs to the settings of a process, whatever other processes start beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.dataset.git_environment import GitEnvironment, make_environment
from tea_runner.host import process

URL = "https://forge.example.org"

Make = Callable[..., GitEnvironment]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes environments of processes that share one state folder."""

    def one(**settings: str) -> GitEnvironment:
        return make_environment(tmp_path, path=os.environ["PATH"], **settings)  # type: ignore[arg-type]

    return one


def credential(environment: GitEnvironment, url: str = URL) -> str:
    """The password that git would send to a forge; empty without one."""
    found = process.run(
        ["git", "credential", "fill"],
        env=dict(environment.variables),
        stdin=f"url={url}\n\n".encode(),
        check=False,
    )
    lines = found.stdout.decode().splitlines()
    return next((line[9:] for line in lines if line.startswith("password=")), "")


def header(environment: GitEnvironment) -> bool:
    """Whether git sends an authorization to the forge."""
    found = process.run(
        ["git", "config", "--get-urlmatch", "http.extraHeader", f"{URL}/lab/ds"],
        env=dict(environment.variables),
        check=False,
    )
    return b"Authorization" in found.stdout


def test_a_process_without_a_token_leaves_those_of_others_alone(make: Make) -> None:
    """A verb in another shell has none of the server's settings, and the same state folder."""
    server = make(url=URL, user="tea", token="first")

    verb = make()

    assert (header(server), credential(server)) == (True, "first")
    assert (header(verb), credential(verb)) == (False, "")


def test_two_tokens_are_used_side_by_side(make: Make) -> None:
    """A server keeps its token until it ends, when a newer process has another."""
    old = make(url=URL, user="tea", token="first")

    new = make(url=URL, user="tea", token="second")

    assert (credential(old), credential(new)) == ("first", "second")


def test_processes_with_the_same_settings_share_one_configuration(make: Make) -> None:
    """Ten workers of a host have one file, which the last of them to end leaves behind."""
    first = make(url=URL, user="tea", token="first")
    second = make(url=URL, user="tea", token="first")
    assert first.variables == second.variables

    del first
    make()

    assert credential(second) == "first"


def test_configurations_of_ended_processes_are_removed(make: Make, tmp_path: Path) -> None:
    """A token does not stay on disk after the next start with another, nor do files of former versions."""
    old = make(url=URL, user="tea", token="first")
    for name in ("config", "credentials", "authorization"):
        (tmp_path / "git" / name).write_text("first")
    del old

    make(url=URL, user="tea", token="second")

    found = {path for path in (tmp_path / "git").rglob("*") if path.is_file()}
    assert [] == [path for path in found if b"first" in path.read_bytes()]
    assert any(b"second" in path.read_bytes() for path in found)


def test_only_the_owner_can_read_the_configuration(make: Make, tmp_path: Path) -> None:
    """Files and folders of the configuration are closed to others."""
    kept = make(url=URL, user="tea", token="first")

    files = [p for p in kept.home.rglob("*") if p.is_file()]
    assert {0} == {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files}
    assert 0o700 == stat.S_IMODE(kept.home.stat().st_mode)


def test_a_refused_credential_stays_in_its_file(make: Make) -> None:
    """After a 401, git tells its helper to erase the credential; the forge's next answer may be another."""
    environment = make(url=URL, user='a "b"', token="t %20\\")

    for action in ("reject", "approve"):
        text = 'protocol=https\nhost=forge.example.org\nusername=a "b"\npassword=t %20\\\n\n'
        process.run(
            ["git", "credential", action], env=dict(environment.variables), stdin=text.encode()
        )

        assert "t %20\\" == credential(environment), action
