"""``tea-runner setup`` on a real Gitea: an administrator's login in, a working runner out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import requests

from tea_runner.host import process
from tests.cli.dataset import Said, tea
from tests.gitea import Gitea

pytestmark = pytest.mark.gitea
PASSWORD = "a-password-of-tests-1"


@pytest.fixture
def admin(gitea: Gitea, tmp_path: Path) -> Path:
    """A file with the password of the administrator."""
    words = ("admin", "user", "change-password", "-u", gitea.owner, "-p", PASSWORD)
    env = {name: os.environ[name] for name in ("PATH", "HOME")}
    process.run([*gitea.command, *words, "--must-change-password=false"], env=env)
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


def setup(gitea: Gitea, admin: Path, *words: str, bot: str = "robot", url: str = "") -> Said:
    """Run the verb, with its settings in the folder of the password."""
    config = ("--config", str(admin.parent / "etc/tea-runner.toml"))
    state = ("-c", f"state={admin.parent / 'state'}")
    given = ("--admin", gitea.owner, "--password-file", str(admin), "--bot", bot)
    return tea(admin.parent, *config, *state, "setup", url or gitea.url, *given, *words)


def test_one_command_makes_a_runner(gitea: Gitea, admin: Path) -> None:
    """Account, token, settings and webhook; the check of the forge finds nothing wrong."""
    name = f"{gitea.owner}/set-up"
    gitea.api("POST", "/user/repos", {"name": "set-up", "private": True, "auto_init": True})
    words = ("--pages", "http://127.0.0.1:1706", "--repository", name)
    done = setup(gitea, admin, *words)

    assert 0 == done.code, done
    token = admin.parent / "etc/forge.token"
    assert 0o600 == stat.S_IMODE(token.stat().st_mode)
    text = (admin.parent / "etc/tea-runner.toml").read_text()
    assert f'\nurl = "{gitea.url}"\n' in text
    assert PASSWORD not in text + done.out + done.err
    found = gitea.api("GET", f"/repos/{name}/collaborators/robot/permission")
    assert "write" == found["permission"]
    (hook,) = gitea.api("GET", f"/repos/{name}/hooks")
    assert hook["config"]["url"].startswith("http://127.0.0.1:1706/hooks/gitea/")

    config = ("--config", str(admin.parent / "etc/tea-runner.toml"))
    shown = tea(admin.parent, *config, "config", "show", "forge", "--set")
    assert 'forge.user = "robot"' in shown.out
    checked = tea(admin.parent, *config, "check")
    assert f"forge(ok): {gitea.url}" in checked.out


def test_the_command_can_be_repeated(gitea: Gitea, admin: Path) -> None:
    """Nothing is made twice; a token that was deleted is made anew."""
    name = f"{gitea.owner}/set-up-again"
    gitea.api("POST", "/user/repos", {"name": "set-up-again", "auto_init": True})
    assert 0 == setup(gitea, admin, "--repository", name, bot="robot2").code
    token = admin.parent / "etc/forge.token"
    before = token.read_text()
    again = setup(gitea, admin, "--repository", name, bot="robot2", url=gitea.url + "/")

    assert 0 == again.code, again
    assert [
        "account robot2: there already",
        f"token in {token}: valid",
        f"settings in {admin.parent}/etc/tea-runner.toml: there already",
        f"account robot2 in {name}: may write",
        f"webhook of {name}: there already",
    ] == again.lines[:5]
    assert before == token.read_text()
    assert 1 == len(gitea.api("GET", f"/repos/{name}/hooks"))

    token.write_text("0" * 40)
    assert f"token in {token}: created" in setup(gitea, admin, bot="robot2").lines


def test_all_repositories_of_an_organisation_are_connected_at_once(
    gitea: Gitea, admin: Path
) -> None:
    """Also those that are made later; the bot is no administrator, and may write there only."""
    words = ("--organisation", "team", "--pages", "http://127.0.0.1:1706")
    for state in ("created", "there already"):
        done = setup(gitea, admin, *words, bot="robot4")
        assert 0 == done.code, done
        assert f"webhook of team/*: {state}" in done.lines
    gitea.api("POST", "/orgs/team/repos", {"name": "later", "private": True})
    token = {"Authorization": f"token {(admin.parent / 'etc/forge.token').read_text().strip()}"}
    seen = requests.get(f"{gitea.url}/api/v1/repos/team/later", headers=token, timeout=10).json()
    assert (True, False) == (seen["permissions"]["push"], seen["permissions"]["admin"])
    (hook,) = gitea.api("GET", "/orgs/team/hooks")
    (kept,) = (admin.parent / "state/hooks").glob("*.json")
    assert f"http://127.0.0.1:1706/hooks/gitea/{kept.stem}" == hook["config"]["url"]


def test_settings_that_are_there_are_not_overwritten(gitea: Gitea, admin: Path) -> None:
    """They name another forge: the command says which line, and makes nothing."""
    file = admin.parent / "etc/tea-runner.toml"
    file.parent.mkdir()
    file.write_text('[forge]\nkind = "gitea"\nurl = "https://other.example.org"\n')
    done = setup(gitea, admin, bot="robot3")

    assert 1 == done.code
    assert f"has forge.url = https://other.example.org, not {gitea.url}" in done.err
    assert "robot3" not in [each["login"] for each in gitea.api("GET", "/admin/users")]


@pytest.mark.parametrize("password", ["wrong", PASSWORD])
def test_a_login_that_is_no_administrators_is_refused(
    gitea: Gitea, admin: Path, password: str
) -> None:
    """Wrong, or of an ordinary account."""
    who = gitea.owner if password == "wrong" else "ordinary"
    if who == "ordinary":
        account = {"username": who, "email": "o@example.org", "password": PASSWORD}
        gitea.api("POST", "/admin/users", {**account, "must_change_password": False})
    admin.write_text(password)
    given = ("--admin", who, "--password-file", str(admin))
    config = ("--config", str(admin.parent / "etc/tea-runner.toml"))
    done = tea(admin.parent, *config, "setup", gitea.url, *given)

    assert 1 == done.code
    expected = "does not accept this name and password"
    assert (expected if password == "wrong" else "is no administrator of") in done.err
    assert not (admin.parent / "etc").exists()
