"""Accounts of a forge that answers oddly, and the memory of its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tea_runner.core.access import AccessLevel
from tea_runner.core.errors import ForgeError
from tea_runner.forge.cached_accounts import CachedAccounts
from tea_runner.forge.gitea_accounts import GiteaAccounts
from tests.twins.accounts import MemoryAccounts

MINE = "token " + "a" * 40


class OddForge:
    """Answers each request as a test says, and keeps what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {}
        self.headers: dict[str, str] = {}
        self.seen: list[dict[str, str]] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                odd.seen.append({"path": self.path, **dict(self.headers)})
                text = odd.body if isinstance(odd.body, str) else json.dumps(odd.body)
                self.send_response(odd.status)
                for name, value in {**odd.headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def odd() -> Iterator[OddForge]:
    """Such a forge."""
    forge = OddForge()
    yield forge
    forge.stop()


def test_a_cookie_of_one_account_does_not_go_with_another(odd: OddForge) -> None:
    """A session that the forge begins would say who asks, whatever the token says."""
    odd.headers = {"Set-Cookie": "session=of-ada; Path=/"}
    accounts = GiteaAccounts(odd.url)
    accounts.name(MINE)
    accounts.levels("token " + "b" * 40, ["lab/a", "lab/b"])
    assert [] == [seen for seen in odd.seen if "Cookie" in seen]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"permissions": None},
        {"permissions": []},
        {"permissions": {"pull": "true", "push": True}},
        {"permissions": {"pull": False, "push": True, "admin": True}},
        [],
        "null",
    ],
)
def test_what_the_forge_does_not_say_is_no_permission(odd: OddForge, body: Any) -> None:
    """Only what is true counts."""
    odd.body = body
    assert {"lab/a": AccessLevel.NONE} == GiteaAccounts(odd.url).levels(MINE, ["lab/a"])


@pytest.mark.parametrize(("status", "body"), [(500, {}), (429, {}), (502, "x"), (200, "<html>")])
def test_an_error_of_the_forge_is_no_answer(odd: OddForge, status: int, body: Any) -> None:
    """So that it is not taken for a refusal, or kept."""
    odd.status, odd.body = status, body
    with pytest.raises(ForgeError):
        GiteaAccounts(odd.url).levels(MINE, ["lab/a"])


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/api/v1/user", "/api/v1/user", "/", "x"])
def test_no_redirect_leads_elsewhere(odd: OddForge, target: str) -> None:
    """Neither to another host nor to something that is no repository."""
    odd.status, odd.headers = 307, {"Location": target}
    assert {"lab/a": AccessLevel.NONE} == GiteaAccounts(odd.url).levels(MINE, ["lab/a"])
    assert "" == GiteaAccounts(odd.url).name(MINE)


def test_redirects_in_a_circle_end(odd: OddForge) -> None:
    """After three."""
    odd.status, odd.headers = 307, {"Location": "/api/v1/repos/lab/a"}
    assert {"lab/a": AccessLevel.NONE} == GiteaAccounts(odd.url).levels(MINE, ["lab/a"])
    assert len(odd.seen) <= 4


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


def test_an_answer_is_kept_for_a_minute() -> None:
    """Also that somebody may not read a repository; after that it is asked for again."""
    memory, clock = MemoryAccounts(), Clock()
    ada, eve = memory.add("ada", "a"), memory.add("eve", "e")
    memory.let("ada", "lab/a", AccessLevel.READ)
    accounts = CachedAccounts(memory, clock)
    for _ in range(3):
        assert {"lab/a": AccessLevel.READ, "lab/b": AccessLevel.NONE} == accounts.levels(
            ada, ["lab/a", "lab/b"]
        )
        assert {"lab/a": AccessLevel.NONE} == accounts.levels(eve, ["lab/a"])
        assert "ada" == accounts.name(ada)
    assert 4 == len(memory.asked)
    memory.let("ada", "lab/a", AccessLevel.NONE)
    clock.seconds += 61
    assert {"lab/a": AccessLevel.NONE} == accounts.levels(ada, ["lab/a"])


def test_a_forge_that_ended_is_believed_for_a_minute_at_most() -> None:
    """Then nobody may read anything, and no error is kept."""
    memory, clock = MemoryAccounts(), Clock()
    ada = memory.add("ada", "a")
    memory.let("ada", "lab/a", AccessLevel.READ)
    accounts = CachedAccounts(memory, clock)
    accounts.levels(ada, ["lab/a"])
    memory.reachable = False
    assert {"lab/a": AccessLevel.READ} == accounts.levels(ada, ["lab/a"])
    with pytest.raises(ForgeError):
        accounts.levels(ada, ["lab/a", "lab/b"])
    clock.seconds += 61
    with pytest.raises(ForgeError):
        accounts.levels(ada, ["lab/a"])
    memory.reachable = True
    assert {"lab/a": AccessLevel.READ} == accounts.levels(ada, ["lab/a"])
