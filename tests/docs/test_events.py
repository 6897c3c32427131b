"""Pages about events, followed with the servers of ``tea-runner up``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.cli.embedded_forge_setup import USER as OWNER
from tests.docs.page import Reader, follow
from tests.e2e.test_whole_way import free_port, wait_for
from tests.minio import PASSWORD, USER, minio

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is missing"),
]

_SPEC = """\
pipeline: {name: up}
input: {pfs: {name: x, repo: incoming, glob: "/**.json"}}
transform: {cmd: [sh, -c, 'cat $x > "$PFS/out/all"']}
"""


class Operator:
    """A reader with a server that has triggers, and a dataset on its embedded forge."""

    def __init__(self, home: Path) -> None:
        self.reader = Reader(home)
        self.port = free_port()
        self.state = home / "state"
        self.settings = home / ".config/tea-runner/tea-runner.toml"
        self.settings.parent.mkdir(parents=True)
        self.words = {"OWNER/REPO": f"{OWNER}/data", "1706": str(self.port)}

    def set(self, text: str) -> str:
        """Write the settings with a table of the page."""
        top = f'state = "{self.state}"\nrepositories = ["*/*"]\n[web]\nport = {self.port}\n'
        self.settings.write_text(f"{top}[worker]\ncount = 1\n{text}")
        return ""

    @property
    def log(self) -> Path:
        """What ``tea-runner up`` prints."""
        return self.reader.home / "up.log"

    def start(self) -> None:
        """Start the servers and push a dataset."""
        self.up()
        self.push()

    def up(self) -> None:
        """Start the servers."""
        self.reader.begin("tea-runner up", self.log)

        def ready() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=1).ok
            except requests.RequestException:
                return False

        wait_for(ready)

    def push(self) -> None:
        """Push a dataset."""
        self.reader.say("datalad -l error create -c text2git data && cd data && mkdir incoming up")
        (self.reader.folder / "up/spec.yml").write_text(_SPEC)
        (self.reader.folder / "incoming/first.json").write_text("{}\n")
        self.reader.say("datalad -l error save -m begin")
        for line in self.log.read_text().splitlines():
            if "git remote add" in line or "git annex initremote" in line:
                self.reader.say(line.strip().replace("NAME", "data"))
        self.reader.say("git push -q origin HEAD git-annex")


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """An operator with an empty home."""
    made = Operator(tmp_path)
    yield made
    made.reader.interrupt()


def test_an_event_of_a_shop_becomes_a_file(operator: Operator) -> None:
    """Every command of the page; the file is on the branch, and the event on the page."""

    def started(text: str) -> str:
        said = operator.reader.say(text)
        operator.start()
        return said

    said = follow(
        "docs/how-to/receive-events.md",
        operator.reader,
        words=operator.words,
        between={
            "[[triggers]]": operator.set,
            "openssl rand -hex 32 >~/.config/tea-runner/orders.secret": started,
        },
    )
    assert '"accepted"' in said['body=\'{"order": {"id": 17, "sum": "12.50"}}\'']
    last = said["until git pull -q origin main && ls incoming/orders/*/17.json; do sleep 1; done"]
    assert "Add 1 file from trigger orders" in last
    (file,) = (operator.reader.folder / "incoming/orders").glob("*/17.json")
    assert {"id": 17, "sum": "12.50"} == json.loads(file.read_text())["order"]
    checked = operator.reader.say("tea-runner check || true")
    assert "trigger orders(ok)" in checked


def test_objects_of_a_bucket_become_files(operator: Operator, tmp_path: Path) -> None:
    """Every command of the page, with a real MinIO."""
    with minio(tmp_path / "minio") as bucket:
        operator.words |= {
            "minio.example.org": "127.0.0.1",
            "9000": str(bucket.port),
            "secret-of-the-lab": f"'{PASSWORD}'",
            "=lab": f"={USER}",
        }
        for name, text in {"id": USER, "key": PASSWORD}.items():
            (operator.settings.parent / f"bucket.{name}").write_text(text)
        (operator.settings.parent / "arrivals.token").write_text("token")
        operator.reader.say("git config --global annex.security.allowed-ip-addresses all")
        operator.set("")
        operator.start()
        bucket.put(scans__one="1")

        def again(text: str) -> str:
            operator.reader.interrupt()
            operator.set(f'{text}[annex]\nallowed_addresses = ["127.0.0.1"]\n')
            operator.up()
            return ""

        follow(
            "docs/how-to/import-objects.md",
            operator.reader,
            words=operator.words,
            between={"[[storage]]": again},
        )
    assert "1" == (operator.reader.folder / "arrivals/scans/one.dat").read_text()
