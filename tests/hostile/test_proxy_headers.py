"""Headers that steer routing behind proxies, and names of other sites: sent to gunicorn as it is shipped.

The tests reach gunicorn from loopback, as a proxy on the same host does.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.deliveries import head, push
from tests.web.server import Server, serving

#: Ways to say that an application lies below another path, or that somebody has logged in.
STEERING = (
    "SCRIPT_NAME: /hooks",
    "Script_Name: /hooks",
    "SCRIPT-NAME: /hooks",
    "PATH_INFO: /log",
    "Path-Info: /log",
    "X-Script-Name: /hooks",
    "X-Forwarded-Prefix: /hooks",
    "X-Forwarded-Path: /log",
    "X-Original-URL: /log",
    "X-Rewrite-URL: /log",
    "X-Original-URI: /log",
    "X-HTTP-Method-Override: GET",
    "Forwarded: for=127.0.0.1;host=127.0.0.1;proto=https",
    "X-Forwarded-Host: 127.0.0.1",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with the shipped arguments and a page ``/log``."""
    state = tmp_path_factory.mktemp("receiver")
    (state / "large.log").write_bytes(b"canary of a page")
    env = {"TEST_STATE": str(state), "SCRIPT_NAME": ""}
    with serving(state, "tests.web.receiver:application()", env) as server:
        yield server


def ask(server: Server, path: str, *headers: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    """GET a path; the status and the head of the answer."""
    lines = [f"GET {path} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    answer = server.send("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize("header", STEERING)
def test_no_header_shows_a_page_at_another_address(server: Server, header: str) -> None:
    """A proxy that opens only ``/hooks/`` to everybody opens no page."""
    assert 200 == ask(server, "/log")[0]
    assert 404 == ask(server, "/hooks/log", header)[0]
    assert 405 == ask(server, "/hooks/gitea/log", header)[0]


@pytest.mark.parametrize("header", STEERING)
def test_no_header_makes_another_request_of_a_delivery(server: Server, header: str) -> None:
    """A delivery for an unknown hook stays one."""
    data = head(header, f"Content-Length: {len(push())}", path="/hooks/gitea/" + "b" * 24)
    assert b"404" == server.send(data + push()).split(b" ")[1]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example#localhost",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost,evil.example",
        "localhost evil.example",
        "192.0.2.7",
        "[2001:db8::7]",
        "[::1",
        "localhost:x",
        "2130706433",
    ],
)
def test_a_name_of_another_site_is_refused(server: Server, host: str) -> None:
    """A site whose name was bound to this address (DNS rebinding) reads nothing."""
    status, answer = ask(server, "/log", "X-Forwarded-Host: 127.0.0.1", host=host)
    assert status in (400, 421)
    assert b"canary" not in answer
    delivery = head(f"Content-Length: {len(push())}").replace(b"127.0.0.1", host.encode())
    assert server.send(delivery + push()).split(b" ")[1] in (b"400", b"421")


def test_a_request_without_a_host_reads_nothing(server: Server) -> None:
    """Neither without the header, nor with two."""
    assert 400 == ask(server, "/log", host="")[0]
    assert ask(server, "/log", "Host: evil.example")[0] in (400, 421)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:99", "[::1]:1706", "127.0.0.9"]
)
def test_names_of_this_machine_are_served(server: Server, host: str) -> None:
    """Loopback, with any port, as behind a tunnel."""
    assert 200 == ask(server, "/log", host=host)[0]


@pytest.mark.parametrize("host", ["", "10.1.2.3:1706", "tea-runner.pod.cluster.local"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_reach_the_health_checks_by_any_name(server: Server, host: str, path: str) -> None:
    """Orchestrators probe by address or without a name; the answers contain no secrets."""
    assert ask(server, path, host=host)[0] in (200, 503)


def test_the_refusal_names_the_setting(server: Server) -> None:
    """The operator of a proxy reads what to do; the name that was sent is not repeated."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /log HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"421 " in answer
    assert b"web.hosts" in answer
    assert b"evil" not in answer


@pytest.mark.long
def test_nothing_of_the_working_directory_is_executed(tmp_path: Path) -> None:
    """``gunicorn.conf.py`` and modules of a dataset in which a server is started are not loaded."""
    state, dataset = tmp_path / "state", tmp_path / "dataset"
    state.mkdir()
    dataset.mkdir()
    for name in ("gunicorn.conf.py", "flask.py", "yaml.py"):
        written = f"open({str(tmp_path / 'canary')!r}, 'w').close()\n"
        (dataset / name).write_text(written)
    env = {"TEST_STATE": str(state)}
    with serving(state, "tests.web.receiver:application()", env, cwd=dataset) as server:
        assert 200 == ask(server, "/healthz")[0]
    assert not (tmp_path / "canary").exists()
