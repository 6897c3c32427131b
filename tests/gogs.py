"""A real Gogs on loopback: a program in, a forge with an administrator and a bot out.

The program is ``gogs`` on PATH; without it the tests are skipped aloud.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tea_runner.host import process
from tests.gitea import free_port, wait_until_it_answers

_INI = """\
BRAND_NAME = test
RUN_MODE = prod
RUN_USER = {user}
[server]
EXTERNAL_URL = http://127.0.0.1:{port}/
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DISABLE_SSH = true
OFFLINE_MODE = true
[repository]
ROOT = {root}/repositories
[database]
TYPE = sqlite3
PATH = {root}/gogs.db
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
LOCAL_NETWORK_ALLOWLIST = *
[log]
ROOT_PATH = {root}/log
"""


@dataclass(frozen=True, kw_only=True)
class Gogs:
    """A running Gogs; *owner* may do everything, *bot* only what it was invited to."""

    url: str
    owner: str
    owner_token: str
    bot: str
    bot_token: str

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

    def repository(self, name: str, *, private: bool = False) -> str:
        """Make an empty repository that the bot may administer; returns ``owner/name``."""
        self.api("POST", "/user/repos", {"name": name, "private": private})
        path = f"/repos/{self.owner}/{name}/collaborators/{self.bot}"
        self.api("PUT", path, {"permission": "admin"})
        return f"{self.owner}/{name}"

    def as_bot(self, folder: Path) -> dict[str, str]:
        """The table ``[forge]`` of a runner that works as the bot; the folder gets its token."""
        token = folder / "token"
        token.write_text(self.bot_token)
        return {"kind": "gogs", "url": self.url, "user": self.bot, "token_file": str(token)}

    def push_url(self, repository: str) -> str:
        """Where the owner pushes to, with the token in it."""
        return (
            self.url.replace("://", f"://{self.owner}:{self.owner_token}@") + f"/{repository}.git"
        )


def _token(url: str, name: str, password: str) -> str:
    answer = requests.post(
        f"{url}/api/v1/users/{name}/tokens",
        json={"name": "test"},
        auth=(name, password),
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["sha1"])


@pytest.fixture(scope="session")
def gogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gogs]:
    """One Gogs for the whole run; tests make repositories of their own in it."""
    program = shutil.which("gogs")
    if not program:
        pytest.skip("program absent: gogs")
    root = tmp_path_factory.mktemp("gogs")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root / "home"),
        "LC_ALL": "C.UTF-8",
        "GOGS_WORK_DIR": str(root),
    }
    (root / "home").mkdir()
    env["USER"] = process.run(["id", "-un"], env=env).stdout.decode().strip()
    port = free_port()
    ini = root / "app.ini"
    text = _INI.format(user=env["USER"], root=root, port=port, secret=secrets.token_hex(8))
    ini.write_text(text, encoding="utf-8")
    log = root / "web.log"
    with log.open("wb") as written:
        argv = [program, "web", "-c", str(ini)]
        running = process.start_process(argv, env=env, cwd=root, stdout=written, stderr=written)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(f"{url}/user/login", log, running)
        tokens = {}
        for name, more in (("lab", ["--admin"]), ("teabot", [])):
            password = secrets.token_hex(12)
            words = ["--name", name, "--password", password, "--email", f"{name}@example.org"]
            process.run(
                [program, "admin", "create-user", "-c", str(ini), *words, *more], env=env, cwd=root
            )
            tokens[name] = _token(url, name, password)
        yield Gogs(
            url=url,
            owner="lab",
            owner_token=tokens["lab"],
            bot="teabot",
            bot_token=tokens["teabot"],
        )
    finally:
        running.terminate()
        try:
            running.wait(10)
        finally:
            process.kill(running)
