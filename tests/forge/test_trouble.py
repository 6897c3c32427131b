"""A forge that is busy, away or rude: what the client tries again, and what it says."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import ForgeError
from tea_runner.forge.gitea import GiteaForge
from tests.faulty_forge import Fault, Faults, FaultyForge


class Script(Faults):
    """Answers by a list of faults, then well."""

    def __init__(self, *faults: Fault | None) -> None:
        self.faults = list(faults)
        self.asked = 0

    def response(self, method: str, path: str) -> Fault | None:
        """The next fault."""
        self.asked += 1
        return self.faults.pop(0) if self.faults else None


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[FaultyForge]:
    """A forge with a user."""
    with FaultyForge(tmp_path / "forge") as running:
        running.add_user("bot", "horse", admin=True)
        running.create_repository("bot", "edges")
        yield running


def client(forge: FaultyForge, naps: list[float]) -> GiteaForge:
    """A client that does not really sleep."""
    return GiteaForge(forge.url, forge.add_token("bot"), timeout=2, sleep=naps.append)


def test_a_busy_forge_is_asked_again(forge: FaultyForge) -> None:
    """Three times, each after a longer pause; then it answers."""
    naps: list[float] = []
    forge.faults = Script(Fault(status=503), Fault(status=429), Fault(keep=0))
    assert client(forge, naps).whoami() == "bot"
    assert len(naps) == 3
    assert naps[0] < 0.7 < naps[2]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429), Fault(keep=2)])
def test_refs_of_a_forge_in_trouble_are_an_error(forge: FaultyForge, fault: Fault) -> None:
    """Never "no refs": that would look as if all branches were deleted; the next question is answered."""
    asking = client(forge, [])
    forge.faults = script = Script(fault)
    with pytest.raises(ForgeError, match="listing refs of bot/edges"):
        asking.refs("bot/edges", "refs/heads/")
    assert 1 == script.asked
    assert {} == asking.refs("bot/edges", "refs/heads/")


def test_a_post_is_not_sent_twice(forge: FaultyForge) -> None:
    """It may have been carried out; who called decides."""
    forge.faults = script = Script(Fault(status=503))
    with pytest.raises(ForgeError) as busy:
        client(forge, []).add_webhook("bot/edges", url="http://x", secret="s")
    assert busy.value.response_status == 503
    assert script.asked == 1


def test_a_refusal_is_not_tried_again(forge: FaultyForge) -> None:
    """403 stays 403."""
    forge.faults = script = Script(Fault(status=403))
    with pytest.raises(ForgeError, match="403"):
        client(forge, []).whoami()
    assert script.asked == 1


def test_a_redirect_is_not_followed(forge: FaultyForge) -> None:
    """The token goes to the configured address and nowhere else."""
    forge.faults = Script(Fault(status=302))
    with pytest.raises(ForgeError, match="the repository has moved"):
        client(forge, []).whoami()


def test_a_slow_forge_is_given_up(forge: FaultyForge) -> None:
    """After the time that the settings give."""
    forge.faults = Script(*(Fault(delay=1.5) for _ in range(4)))
    slow = GiteaForge(forge.url, forge.add_token("bot"), timeout=0.2, sleep=lambda _: None)
    with pytest.raises(ForgeError, match="no answer in time"):
        slow.whoami()


def test_an_absent_forge_is_said_in_words() -> None:
    """No class names, no memory addresses; which setting to look at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = GiteaForge(f"http://127.0.0.1:{port}", "t", sleep=lambda _: None)
    assert away.check() == [f"http://127.0.0.1:{port}: connection refused; check forge.url"]


class _Page(http.server.BaseHTTPRequestHandler):
    """A page for people, or JSON of something else, with status 200."""

    body = b""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"", b"{}", b"[]", b'{"full_name": "../x"}', b"null"]
)
def test_an_answer_that_is_no_answer_of_the_api_is_an_error(body: bytes) -> None:
    """A proxy that asks for a login, or another program, answers in place of the forge."""
    handler = type("Handler", (_Page,), {"body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        forge = GiteaForge(f"http://127.0.0.1:{server.server_address[1]}", "token")
        try:
            for ask in (
                lambda: forge.current_name("lab/ds"),
                lambda: forge.repositories(["lab/ds"]),
                lambda: forge.audience("lab/ds"),
            ):
                with pytest.raises(ForgeError):
                    ask()
        finally:
            server.shutdown()
            thread.join(10)
