"""Deliveries included: a real ``git push`` to a forge becomes a results commit, nobody helping."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import requests

from tea_runner.core.errors import ForgeError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.gitea import GiteaForge as Client
from tea_runner.host import process
from tests.durations import without_duration
from tests.e2e.lab import EXAMPLES, Lab
from tests.gitea import Gitea


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """``tea-runner up`` as a person starts it, against a forge that is there already."""

    def __init__(self, lab: Lab, forge: dict[str, str], repository: str) -> None:
        self.lab = lab
        self.state = lab.root / "server"
        self.state.mkdir()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.config = self.state / "tea-runner.toml"
        token = self.state / "token"
        token.write_text(forge["token"])
        self.config.write_text(
            f'state = "{self.state}"\n[web]\nport = {self.url.rpartition(":")[2]}\n'
            f'url = "{self.url}"\n[forge]\nkind = "gitea"\nurl = "{forge["url"]}"\n'
            f'user = "{forge["user"]}"\ntoken_file = "{token}"\n'
            # The reconciler must not help: what is tested is the delivery.
            f"[reconcile]\nevery = 3600\n"
            f'[[storage]]\nname = "store"\ntype = "directory"\n'
            f'[storage.options]\ndirectory = "{lab.store}"\n'
        )
        self.repository = repository
        self._running: process.Process | None = None

    def cli(self, *words: str) -> str:
        """Run a verb of the command line."""
        argv = [sys.executable, "-m", "tea_runner", "--config", str(self.config), *words]
        done = process.run(argv, env=self.lab.env, cwd=self.state, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return bytes(done.stdout).decode()

    def start(self) -> None:
        """Start everything and wait until it answers."""
        argv = [sys.executable, "-m", "tea_runner", "--config", str(self.config), "up"]
        with (self.state / "up.log").open("wb") as log:
            self._running = process.start_process(
                argv, env=self.lab.env, cwd=self.state, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if requests.get(f"{self.url}/readyz", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        pytest.fail((self.state / "up.log").read_text())

    def stop(self) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        assert self._running is not None
        self._running.terminate()
        try:
            return int(self._running.wait(timeout=60))
        finally:
            process.kill(self._running)


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The embedded forge with a person, a bot and an empty repository."""
    with EmbeddedForge(tmp_path / "forge", path=os.environ["PATH"]) as forge:
        forge.add_user("lab", "secret")
        forge.add_user("bot", "another secret", admin=True)
        forge.create_repository("lab", "data")
        yield {
            "url": forge.url,
            "user": "bot",
            "token": forge.add_token("bot"),
            "push": forge.push_url("lab/data", "lab", "secret"),
            "repository": "lab/data",
        }


@pytest.fixture
def real(gitea: Gitea) -> dict[str, str]:
    """A real Gitea with an empty repository that the bot may administer."""
    repository = gitea.repository(f"data-{time.time_ns()}")
    return {
        "url": gitea.url,
        "user": gitea.bot,
        "token": gitea.bot_token,
        "push": gitea.push_url(repository),
        "repository": repository,
    }


def _kept(state: Path) -> dict[str, int]:
    """Annex keys whose content this host has, with their bytes."""
    places = (state / "mirrors").rglob("annex/objects/**/*")
    return {path.name: path.stat().st_size for path in places if path.is_file()}


def whole_way(root: Path, forge: dict[str, str]) -> None:
    """Three pushes of the edges example, each as its ``expected.json`` says."""
    repository = forge["repository"]
    lab = Lab(root, forge={}, push_url=forge["push"], name=repository)
    server = Server(lab, forge, repository)
    client = Client(forge["url"], forge["token"])
    steps = json.loads((EXAMPLES / "edges" / "expected.json").read_text())["steps"]
    try:
        server.start()
        server.cli("webhook", "add", repository)
        lab.create("edges")
        for number, step in enumerate(steps):
            if number:
                lab.add(f"edges/{step['add']}")
                lab.save(step["name"])
            before = _kept(server.state)
            pushed = lab.push()

            def ended(commit: str = pushed) -> dict[str, tuple[str, str]] | None:
                try:
                    found = dict(client.commit_statuses(repository, commit))
                except ForgeError:
                    # Forgejo learns from a queue that the first push has come.
                    return None
                done = len(found) == 2 and all(s[0] == "success" for s in found.values())
                return found if done else None

            try:
                statuses = wait_for(ended)
            except AssertionError:
                logs = "\n".join(p.read_text() for p in (server.state / "logs").glob("*.log"))
                pytest.fail(
                    f"{step['name']}: {dict(client.commit_statuses(repository, pushed))}\n{logs}"
                )
            tip = lab.pull()

            assert step["commit"] == (tip != pushed)
            edges = step["pipelines"]["edges"]
            words = [f"{edges['run']} done"] if edges["run"] else []
            words += [f"{edges['reused']} reused"] if edges["reused"] else []
            state, text = statuses["tea-runner/edges"]
            assert ("success", ", ".join(words)) == (state, without_duration(text))
            # What came from the storage is the pushed photographs, to the byte.
            fetched = sum(
                size
                for key, size in _kept(server.state).items()
                if key.endswith(".jpg") and key not in before
            )
            photographs = (EXAMPLES / "edges" / step["add"]).rglob("*.jpg")
            assert sum(path.stat().st_size for path in photographs) == fetched
            changed = lab.git("diff", "--name-only", pushed, tip).splitlines()
            records = re.compile(r".*\.(tsv|sig)|\.datalad/tea-runner/rerun-\w+\.py")
            assert set(step["changed"]) == {p for p in changed if not records.fullmatch(p)}
            for path in step["changed"]:
                lab.do("git", "annex", "get", "--quiet", path)
                picture = cv2.imread(str(lab.dataset / path), cv2.IMREAD_GRAYSCALE)
                assert picture is not None, path
                assert picture.std() > 1, f"{path} is blank"
        # The deliveries of the results commits themselves led to nothing.
        runs = json.loads(server.cli("--json", "runs"))
        shown = json.loads(server.cli("--json", "show", runs[0]["id"]))
        assert all(each["signer"].startswith("tea-runner@") for each in shown["pipelines"])
        jobs = [sum(p["run"] for p in step["pipelines"].values()) for step in steps]
        assert jobs == [run["counts"].get("done", 0) for run in reversed(runs)]
        assert [] == [ref for ref in lab.git("ls-remote", "origin").split() if "refs/tea" in ref]
        bearer = {"Authorization": f"Bearer {(server.state / 'pages.token').read_text()}"}
        told = requests.get(f"{server.url}/metrics", headers=bearer, timeout=5).text
        assert 'tea_deliveries_total{verdict="accepted"}' in told
        assert "tea_redis_up 1.0" in told
    finally:
        code = server.stop()
        lab.close()
    assert 0 == code


def test_pushes_to_the_embedded_forge_become_results_commits(
    tmp_path: Path, embedded: dict[str, str]
) -> None:
    """Webhook, delivery, plan, jobs, results commit, statuses: through real HTTP and processes."""
    root = tmp_path / "lab"
    root.mkdir()
    whole_way(root, embedded)


@pytest.mark.gitea
def test_pushes_to_a_real_gitea_become_results_commits(
    tmp_path: Path, real: dict[str, str]
) -> None:
    """The same on the forge that people run, and what its pages show of it."""
    root = tmp_path / "lab"
    root.mkdir()
    whole_way(root, real)
    base = f"{real['url']}/{real['repository']}"
    history = requests.get(f"{base}/commits/branch/main", timeout=30).text
    folder = requests.get(f"{base}/src/branch/main/edges", timeout=30).text
    link = requests.get(f"{base}/raw/branch/main/edges/coffee.png", timeout=30).text
    manifest = requests.get(f"{base}/src/branch/main/edges/manifest.tsv", timeout=30).text

    assert "[DATALAD RUNCMD] montage: edges:/" in history
    assert "tea-runner/montage" in history
    assert "coffee.png" in folder
    assert link.startswith("../.git/annex/objects/")
    assert "images:coffee.jpg" in manifest
