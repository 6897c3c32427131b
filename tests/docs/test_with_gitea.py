"""Pages that speak of a Gitea, followed with a real one."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.broker.redis_server import RedisServer
from tests.docs.page import ROOT, Reader, follow
from tests.e2e.test_whole_way import free_port, wait_for
from tests.gitea import Gitea

pytestmark = pytest.mark.gitea

_SPEC = """\
pipeline: {name: up}
input: {pfs: {name: x, repo: raw, glob: "/*"}}
transform: {cmd: [sh, -c, 'cp "$x" "$PFS/out/"']}
"""


class Administrator:
    """A reader with a Gitea, a Redis and a server of their own."""

    def __init__(self, root: Path, gitea: Gitea) -> None:
        self.gitea = gitea
        programs = root / "programs"
        programs.mkdir()
        (programs / "gitea").write_text(f'#!/bin/sh\nexec {shlex.join(gitea.command)} "$@"\n')
        (programs / "gitea").chmod(0o755)
        self.reader = Reader(root / "home", programs=programs)
        self.repository = gitea.repository(f"page-{time.time_ns()}")
        self.broker = RedisServer(root / "redis", {"PATH": os.environ["PATH"]})
        (root / "redis").mkdir()
        self.broker.start()
        self.store = root / "store"
        self.token = root / "token"
        self.port = free_port()
        self.log = root / "up.log"
        self.words = {
            "https://git.example.org": gitea.url,
            "/etc/tea-runner/token": str(self.token),
            "redis://127.0.0.1:6379/0": self.broker.url,
            "0.0.0.0": "127.0.0.1",
            "1706": str(self.port),
            "runner.example.org": "127.0.0.1",
            "/srv/store": str(self.store),
            "OWNER/REPO": self.repository,
        }
        #: The tables of the settings file that the page shows.
        self.settings = ""

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.reader.home / ".config/tea-runner/tea-runner.toml"

    def set(self, text: str) -> str:
        """Add tables to the settings."""
        self.settings += text
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.settings)
        return ""

    def make_dataset(self, name: str = "data") -> None:
        """A dataset with one pipeline; git finds the owner's token."""
        owner, token = self.gitea.owner, self.gitea.owner_token
        url = self.gitea.url.replace("://", f"://{owner}:{token}@")
        self.reader.say(f"git config --global url.{url}/.insteadOf {self.gitea.url}/")
        self.reader.say(f"datalad -l error create -c text2git {name} && cd {name} && mkdir raw up")
        (self.reader.folder / "up/spec.yml").write_text(_SPEC)
        (self.reader.folder / "raw/a.bin").write_bytes(b"\0a")
        self.reader.say("datalad -l error save -m begin")

    def start(self, text: str) -> str:
        """``tea-runner up``, until it answers."""
        self.reader.begin(text, self.log)

        def ready() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=1).ok
            except requests.RequestException:
                return False

        try:
            wait_for(ready)
        except AssertionError:
            pytest.fail(self.log.read_text())
        return ""

    def close(self) -> None:
        """End everything."""
        self.reader.interrupt()
        self.broker.stop()


@pytest.fixture
def administrator(tmp_path: Path, gitea: Gitea) -> Iterator[Administrator]:
    """An administrator with an empty home."""
    made = Administrator(tmp_path, gitea)
    yield made
    made.close()


def _collaborate(it: Administrator) -> Callable[[str], str]:
    """Make the bot of the page a collaborator, and keep its token."""

    def make(text: str) -> str:
        said = it.reader.say(text)
        found = [line.split()[-1] for line in said.splitlines() if "token" in line.lower()]
        it.token.write_text(found[-1])
        it.token.chmod(0o600)
        place = f"/repos/{it.repository}/collaborators/tea-runner"
        it.gitea.api("PUT", place, {"permission": "admin"})
        return said

    return make


def test_a_forge_is_connected_from_nothing(administrator: Administrator) -> None:
    """Every command of the page, in its order; the results come, and are got."""
    it = administrator
    it.make_dataset()
    pushed = it.reader.say("git rev-parse HEAD").strip()

    def storage(text: str) -> str:
        uuid = it.reader.say("git config remote.store.annex-uuid").strip()
        return it.set(text.replace("0c7a8a2e-…", uuid)) if 'name = "store"' in text else ""

    said = follow(
        "docs/how-to/connect-gitea.md",
        it.reader,
        words=it.words,
        between={
            "gitea admin user create --username tea-runner --email tea-runner@example.org \\": (
                _collaborate(it)
            ),
            "[forge]": it.set,
            "[[storage]]": storage,
            "tea-runner up": it.start,
        },
    )
    assert "delivery received, signature valid" in said["tea-runner webhook test OWNER/REPO"]
    assert pushed in it.reader.say("git log --format=%H")
    assert b"\0a" == (it.reader.folder / "up/a.bin").read_bytes()


def test_the_readme_leads_to_a_server_and_to_results_on_a_laptop(
    administrator: Administrator,
) -> None:
    """Both of its blocks: in a clone, and with a Gitea."""
    it = administrator
    it.make_dataset()
    it.token.write_text(it.gitea.bot_token)
    it.set(
        f'[forge]\nkind = "gitea"\nurl = "{it.gitea.url}"\nuser = "{it.gitea.bot}"\n'
        f'token_file = "{it.token}"\n[redis]\nurl = "{it.broker.url}"\n'
        f'[web]\nport = {it.port}\nurl = "http://127.0.0.1:{it.port}"\n'
    )

    def server(text: str) -> str:
        check, hook, up, worker = text.strip().splitlines()
        said = it.reader.say(f"{check}\n{hook}")
        it.start(up)
        it.reader.begin(worker, it.log.with_name("worker.log"))
        return said

    first = "tea-runner check                     # check settings, programs and servers"
    said = follow(
        "README.md",
        it.reader,
        words={**it.words, "/path/to/this/checkout": str(ROOT)},
        between={first: server},
    )
    laptop = said['export PATH="/path/to/this/checkout/.venv/bin:$PATH"']
    assert "1 run" in laptop
    assert b"\0a" == (it.reader.folder / "up/a.bin").read_bytes()


def test_pull_requests_of_branches_and_forks(administrator: Administrator) -> None:
    """A branch has results beside it; a stranger's commit from a fork is approved, exactly that one."""
    it = administrator
    it.make_dataset()
    it.token.write_text(it.gitea.bot_token)
    it.reader.say(
        f"mkdir {it.store}; git annex initremote store type=directory directory={it.store} "
        f"encryption=none autoenable=true; git remote add origin {it.gitea.url}/{it.repository}.git; "
        "git config remote.origin.annex-ignore true; git annex copy -q --to store; "
        "git push -q origin main git-annex"
    )
    it.set(
        f'[forge]\nkind = "gitea"\nurl = "{it.gitea.url}"\nuser = "{it.gitea.bot}"\n'
        f'token_file = "{it.token}"\n[redis]\nurl = "{it.broker.url}"\n'
        f'[web]\nport = {it.port}\nurl = "http://127.0.0.1:{it.port}"\n'
        f'[[storage]]\nname = "store"\ntype = "directory"\n'
        f'options = {{ directory = "{it.store}" }}\n'
    )
    it.start("tea-runner up")
    it.reader.say(
        f"tea-runner webhook add {it.repository}; git switch -q -c fix; printf '\\0c' >raw/c.bin; "
        "datalad -l error save -m fix; git annex copy -q --to store; "
        'git push -q origin fix git-annex; tea-runner wait "$(git rev-parse HEAD)"'
    )
    made = it.reader.say(
        "gitea admin user create --username stranger --email stranger@example.org "
        "--random-password --must-change-password=false --access-token --access-token-scopes all"
    )
    token = next(line.split()[-1] for line in made.splitlines() if "token" in line.lower())
    api = f"{it.gitea.url}/api/v1/repos"
    headers = {"Authorization": f"token {token}"}
    name = it.repository.partition("/")[2]
    answer = requests.post(f"{api}/{it.repository}/forks", json={}, headers=headers, timeout=30)
    assert answer.ok, answer.text
    push = f"{it.gitea.url}/stranger/{name}.git".replace("://", f"://stranger:{token}@")
    it.reader.say(
        "git switch -q -c proposal main; printf '\\0b' >raw/b.bin; datalad -l error save -m propose; "
        f"git annex copy -q --to store; git push -q {push} proposal git-annex"
    )
    head = it.reader.say("git rev-parse HEAD").strip()
    it.reader.say("git switch -q fix")
    answer = requests.post(
        f"{api}/{it.repository}/pulls",
        json={"title": "One more", "head": "stranger:proposal", "base": "main"},
        headers=headers,
        timeout=30,
    )
    assert answer.ok, answer.text
    number = str(answer.json()["number"])

    def settings(text: str) -> str:
        it.settings = text + it.settings
        return it.set("")

    said = follow(
        "docs/how-to/process-pull-requests.md",
        it.reader,
        words={
            **it.words,
            "lab/data": it.repository,
            " 17 ": f" {number} ",
            "4bb71d674bc20617b13042dfcd1f64d75949cb69": head,
            "stranger/data.git": f"stranger/{name}.git",
        },
        between={"pull_requests = true": settings},
    )
    assert "up/c.bin" in said["git fetch"]
    shown = next(text for text in said.values() if "One more" in text)
    assert head in shown
    assert head in it.reader.say(f"git ls-remote origin refs/heads/pull/{number}")
