"""A real Gogs: its deliveries request plans, and results come back to its branches."""

from __future__ import annotations

import http.server
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tea_runner.core.deliveries.delivery_events import PushEvent
from tea_runner.core.deliveries.delivery_signature import dialect, is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.forge.gogs import GogsForge
from tests.clone import Clone
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.gogs import Gogs

pytestmark = pytest.mark.gitea


class Delivery(NamedTuple):
    """What a forge sent."""

    headers: Mapping[str, str]
    body: bytes


class Receiver(NamedTuple):
    """A receiver of deliveries."""

    url: str
    deliveries: queue.Queue[Delivery]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It keeps what it gets."""
    kept: queue.Queue[Delivery] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep the request."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.put(Delivery(dict(self.headers.items()), body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/x", kept)
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_push_is_delivered_with_a_signature_that_holds(
    gogs: Gogs, receiver: Receiver, tmp_path: Path
) -> None:
    """A new commit, and a deleted branch, as facts."""
    repository = gogs.repository(f"d{time.time_ns()}")
    client = GogsForge(gogs.url, gogs.bot_token)
    client.add_webhook(repository, url=receiver.url, secret="s")
    clone = Clone(tmp_path / "clone", gogs.push_url(repository))
    commit = clone.commit("a", "one")
    clone.push("main", "main:refs/heads/n")
    found = {}
    for _ in range(2):
        headers, body = receiver.deliveries.get(timeout=30)
        names = dialect("gogs", headers)
        assert is_signed(body, headers[names.signature], ["s"])
        assert not is_signed(body, headers[names.signature], ["t"])
        event = parse_gitea_delivery(headers[names.event], body)
        assert isinstance(event, PushEvent)
        found[event.ref] = (event.repository, event.repository_id, event.after)

    number = client.repository_id(repository)
    assert found == dict.fromkeys(("refs/heads/main", "refs/heads/n"), (repository, number, commit))
    clone.push(":refs/heads/n")
    headers, body = receiver.deliveries.get(timeout=30)
    event = parse_gitea_delivery(headers["X-Gogs-Event"], body)
    assert event == PushEvent(
        repository=repository,
        repository_id=number,
        ref="refs/heads/n",
        after="0" * 40,
        deleted=True,
    )


@pytest.fixture
def lab(gogs: Gogs, tmp_path: Path) -> Iterator[Lab]:
    """A private repository, and a server that looks after it as its bot."""
    name = gogs.repository(f"r{time.time_ns()}", private=True)
    root = tmp_path / "lab"
    root.mkdir()
    made = Lab(root, forge=gogs.as_bot(root), push_url=gogs.push_url(name), name=name)
    # The default branch of a new repository is master, whatever is pushed.
    made.settings = 'trusted_branches = ["main"]\n'
    yield made
    made.close()


def test_results_come_back_to_the_branch(lab: Lab) -> None:
    """The bot clones, computes, and pushes one commit; then nothing changes."""
    lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    pushed = lab.push()

    run = lab.settle()

    assert run is not None
    assert "settled" == run.state
    results = lab.pull()
    assert results == lab.tip()
    assert pushed == lab.git("rev-parse", f"{results}^").strip()
    assert "a\n" == (lab.dataset / "up/a.txt").read_text()
    lab.settle()
    assert results == lab.tip()
