"""A real Gitea on loopback: a program in, a forge with an administrator and a bot out.

The program is the one that ``TEA_TEST_GITEA`` names, else ``gitea`` on PATH; it must have SQLite
(built with the tags ``sqlite sqlite_unlock_notify``).  Without one the tests are skipped aloud.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tea_runner.host import process

_INI = """\
APP_NAME = test
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {root}/work
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {root}/work/gitea.db
[security]
INSTALL_LOCK = true
ALLOWED_HOST_LIST = loopback,private
[webhook]
ALLOWED_HOST_LIST = loopback,private
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = false
[mailer]
ENABLED = false
[repository]
ENABLE_PUSH_CREATE_USER = true
[log]
LEVEL = Warn
"""


@dataclass(frozen=True, kw_only=True)
class Gitea:
    """A running Gitea; *owner* may do everything, *bot* only what it was invited to."""

    url: str
    owner: str
    owner_token: str
    bot: str
    bot_token: str
    #: The program, with the option that names its settings.
    command: tuple[str, ...] = ()

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API as the owner."""
        answer = requests.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"token {self.owner_token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def repository(self, name: str, *, bot: str = "admin", private: bool = False) -> str:
        """Make an empty repository that the bot may use; answers ``owner/name``."""
        self.api("POST", "/user/repos", {"name": name, "private": private})
        invitation = {"permission": bot}
        self.api("PUT", f"/repos/{self.owner}/{name}/collaborators/{self.bot}", invitation)
        return f"{self.owner}/{name}"

    def as_bot(self, folder: Path) -> dict[str, str]:
        """The table ``[forge]`` of a runner that works as the bot; the folder gets its token."""
        token = folder / "token"
        token.write_text(self.bot_token)
        return {"kind": "gitea", "url": self.url, "user": self.bot, "token_file": str(token)}

    def push_url(self, repository: str) -> str:
        """Where the owner pushes to, with the token in it."""
        return (
            self.url.replace("://", f"://{self.owner}:{self.owner_token}@") + f"/{repository}.git"
        )


def make_token(gitea: Gitea, name: str, scopes: str) -> str:
    """A token of an account."""
    return _token(
        gitea.command, {each: os.environ[each] for each in ("PATH", "HOME")}, name, scopes
    )


def _token(command: tuple[str, ...], env: dict[str, str], name: str, scopes: str) -> str:
    words = ("admin", "user", "generate-access-token", "-u", name, "--raw", "--scopes", scopes)
    made = process.run([*command, *words, "-t", secrets.token_hex(4)], env=env)
    return made.stdout.decode().split()[-1]


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_it_answers(url: str, log: Path, running: Any) -> None:
    """Wait until a server answers; fails the test with its log when it ends instead."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if running.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the forge did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """One Gitea for the whole run; tests make repositories of their own in it."""
    program = os.environ.get("TEA_TEST_GITEA") or shutil.which("gitea")
    if not program:
        pytest.skip("no gitea on PATH, and TEA_TEST_GITEA names none")
    root = tmp_path_factory.mktemp("gitea")
    (root / "home").mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(root / "home"), "LC_ALL": "C.UTF-8"}
    version = process.run([program, "--version"], env=env).stdout.decode()
    port = free_port()
    user = process.run(["id", "-un"], env=env).stdout.decode().strip()
    ini = root / "app.ini"
    ini.write_text(_INI.format(user=user, root=root, port=port), encoding="utf-8")
    command = [program, "-c", str(ini)]
    made = process.run([*command, "migrate"], env=env, check=False)
    if made.returncode and b"sqlite" in (made.stdout + made.stderr).lower():
        pytest.skip(f"{program} was built without SQLite ({version.strip()})")
    assert made.returncode == 0, made.stderr
    admin = [*command, "admin", "user"]
    create = [*admin, "create", "--email"]
    process.run(
        [
            *create,
            "lab@example.org",
            "--username",
            "lab",
            "--admin",
            "--password",
            secrets.token_hex(12),
            "--must-change-password=false",
        ],
        env=env,
    )
    bot = [*create, "bot@example.org", "--username", "teabot"]
    if process.run([*bot, "--user-type", "bot"], env=env, check=False).returncode:
        # Forgejo has no such accounts, nor has an older Gitea: an ordinary one does as well.
        password = ["--password", secrets.token_hex(12), "--must-change-password=false"]
        process.run([*bot, *password], env=env)
    else:
        # A bot cannot be made without having to change the password that it does not have.
        process.run([*admin, "must-change-password", "--unset", "teabot"], env=env)

    log = root / "web.log"
    with log.open("wb") as written:
        running = process.start_process([*command, "web"], env=env, stdout=written, stderr=written)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(f"{url}/api/healthz", log, running)
        yield Gitea(
            url=url,
            owner="lab",
            owner_token=_token(tuple(command), env, "lab", "all"),
            bot="teabot",
            bot_token=_token(
                tuple(command), env, "teabot", "write:repository,write:issue,read:user"
            ),
            command=tuple(command),
        )
    finally:
        running.terminate()
        try:
            running.wait(10)
        finally:
            process.kill(running)
