"""The page about a server for a lab is followed word for word, with a real Gitea and a real MinIO."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.host import process
from tests.docs.page import Reader, follow
from tests.gitea import free_port
from tests.minio import minio_program

pytestmark = pytest.mark.gitea


class Lab:
    """``tea-runner lab`` on free ports, with its state in one folder."""

    def __init__(self, reader: Reader, programs: Path) -> None:
        self.reader = reader
        self.state = reader.home / "state"
        self.gitea, self.minio, self.pages = (free_port() for _ in range(3))
        self.reader.env["PATH"] = f"{programs}:{reader.env['PATH']}"
        self._log = reader.home / "lab.log"
        self._running: process.Process | None = None

    def start(self) -> None:
        """Start it, until it says where everything is."""
        options = f"-c state={self.state} -c web.port={self.pages}"
        ports = f"--gitea-port {self.gitea} --minio-port {self.minio}"
        self._running = self.reader.begin(f"tea-runner {options} lab {ports} -j 1", self._log)
        end = time.monotonic() + 180
        while "Stop with Ctrl-C" not in self.said():
            assert self._running.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.2)

    def said(self) -> str:
        """What it printed since its start."""
        return self._log.read_text() if self._log.exists() else ""

    def words(self) -> dict[str, str]:
        """What stands for the placeholders of the page."""
        kept = json.loads((self.state / "lab.json").read_text())
        return {
            "THE-KEY": kept["s3_key"],
            "THE-SECRET": kept["s3_secret"],
            "THE-PASSWORD": kept["password"],
            "THE-UUID": kept["storage_uuid"],
            "127.0.0.1:3000": f"127.0.0.1:{self.gitea}",
            "port=9000": f"port={self.minio}",
        }

    def settled(self, repository: str, number: int) -> None:
        """Wait until this many runs of a repository are done."""
        end = time.monotonic() + 240
        while True:
            verb = f"tea-runner -c state={self.state} runs --json"
            rows = json.loads(self.reader.say(verb))
            done = [row for row in rows if row["repository"] == repository]
            if number <= len([row for row in done if row["state"] == "done"]):
                return
            assert time.monotonic() < end, (rows, self.said())
            time.sleep(0.5)

    def kill(self) -> None:
        """Kill every process of it at once."""
        assert self._running is not None
        for pid in [*process.descendants(self._running.pid), self._running.pid]:
            os.kill(pid, signal.SIGKILL)
        process.kill(self._running)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab that is not started yet."""
    programs = tmp_path / "programs"
    programs.mkdir()
    gitea = os.environ.get("TEA_TEST_GITEA") or shutil.which("gitea")
    if gitea is None:
        pytest.skip("no gitea on PATH, and TEA_TEST_GITEA names none")
    (programs / "gitea").symlink_to(gitea)
    (programs / "minio").symlink_to(minio_program())
    reader = Reader(tmp_path / "home")
    yield Lab(reader, programs)
    reader.interrupt()


def test_a_lab_is_started_used_killed_and_started_again(lab: Lab) -> None:
    """Content is pushed and got with DataLad; accounts, storage and webhook outlive a kill."""
    lab.start()
    lab.settled("lab/edges", 1)
    follow(
        "docs/how-to/start-a-lab-server.md",
        lab.reader,
        words=lab.words(),
        between={"docker build -t tea-runner .": lambda _: ""},
    )
    assert "100000" in lab.reader.say("cat count/first.dat.txt")

    lab.reader.say(
        "for n in 1 2 3 4 5 6; do head -c 1000$n /dev/urandom >raw/more$n.dat; done; "
        "datalad -l error save -m more; datalad -l error push --to origin"
    )
    lab.kill()
    lab.start()
    wanted = (
        "until datalad -l error update --how merge && test -e count/more6.dat.txt; do sleep 1; done"
    )
    lab.reader.say(f"timeout 240 sh -c '{wanted}'; datalad -l error get .")
    assert "10006" == lab.reader.say("cat count/more6.dat.txt").strip()
    access = ("me", lab.words()["THE-PASSWORD"])
    url = f"http://127.0.0.1:{lab.gitea}/api/v1/orgs/lab/hooks"
    assert 1 == len(requests.get(url, auth=access, timeout=10).json())


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """Without Gitea nothing starts, and the message says what to do."""
    from tests.cli.dataset import tea

    said = tea(tmp_path, "-c", f"state={tmp_path / 's'}", "lab", env={"PATH": "/nonexistent"})
    assert 1 == said.code
    assert "is not on PATH" in said.err
