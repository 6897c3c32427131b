"""Streams of NATS, MQTT and websockets that become files, from real servers, wherever a process ends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tea_runner.host import fault_point, process
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.test_whole_way import free_port
from tests.workers.test_streams import files, look_until, table
from workers.trigger_listener import TriggerListener

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # A thread of a process that "ends" in a test raises what ended it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
MOMENTS = ("message", "event-publish", "event-published", "event-remove")


@contextlib.contextmanager
def program(argv: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    """A server that runs until the end."""
    with (folder / "server.log").open("wb") as log:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        running = process.start_process(argv, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until, (folder / "server.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.kill(running)


def found_program(name: str, variable: str) -> str:
    """Path of a program; the test is skipped aloud without it."""
    path = os.environ.get(variable) or shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name} on PATH or in {variable}")
    return path


Send = Callable[[str], None]


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[tuple[str, Send]]:
    """Address of a real NATS with the stream "orders", and what sends to it."""
    nats: Any = pytest.importorskip("nats")
    port, folder = free_port(), tmp_path / "nats"
    folder.mkdir()
    path = found_program("nats-server", "TEA_TEST_NATS")
    argv = [path, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "js")]
    url = f"nats://127.0.0.1:{port}"

    async def publish(text: str) -> None:
        client = await nats.connect(url)
        stream = client.jetstream()
        await stream.add_stream(name="orders", subjects=["orders.*"])
        await stream.publish("orders.new", text.encode())
        await client.close()

    with program(argv, folder, port):
        yield url, lambda text: asyncio.run(publish(text))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[tuple[str, Send]]:
    """Address of a real MQTT broker, and what sends to its topic "orders/new"."""
    pytest.importorskip("paho.mqtt")
    from paho.mqtt import publish

    port, folder = free_port(), tmp_path / "mqtt"
    folder.mkdir()
    path = found_program("mosquitto", "TEA_TEST_MOSQUITTO")
    (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")

    def send(text: str) -> None:
        publish.single("orders/new", text, qos=1, hostname="127.0.0.1", port=port)

    with program([path, "-c", str(folder / "conf")], folder, port):
        yield f"mqtt://127.0.0.1:{port}", send


class Killed(BaseException):
    """The process ends here."""


def digests(*contents: str) -> set[str]:
    """MD5 digests of contents."""
    return {hashlib.md5(each.encode()).hexdigest() for each in contents}


def committed(lab: Lab) -> set[str]:
    """MD5 digests of the files of the stream at the forge's tip, from the names of their annexed objects."""
    links = [lab.git("show", f"origin/main:{name}") for name in files(lab)]
    return {link.rpartition("--")[2].partition(".")[0].strip() for link in links}


def cut(lab: Lab, moment: str, monkeypatch: pytest.MonkeyPatch, send: Send, first: int) -> set[str]:
    """Have a listener end at a moment while messages come, and another one go on; returns what is committed.

    :param first: messages that were sent before.
    """
    hands = Hands(lab)

    def kill(reached: str) -> None:
        if reached == moment:
            raise Killed

    listener = TriggerListener(hands.site)
    monkeypatch.setattr(fault_point, "handler", kill)
    with contextlib.suppress(Killed):
        for _ in range(60):
            listener.look()
            time.sleep(0.05)
    monkeypatch.undo()
    listener.close()
    send("last")
    with contextlib.closing(TriggerListener(hands.site)) as other:
        look_until(other, lambda: len(files(lab)) >= first + 1)
        for _ in range(10):
            other.look()
            time.sleep(0.05)
    log = lab.git("log", "--format=%(trailers:key=Tea-Event,valueonly)", "origin/main").split()
    assert len(log[1::2]) == len(set(log[1::2])) == first + 1
    hands.close()
    assert len(files(lab)) == first + 1
    return committed(lab)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stream_of_nats_that_is_cut_at_any_moment_is_read_on(
    moment: str, forged: Lab, nats_server: tuple[str, Send], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message once; the sequence number is in the commit's trailer."""
    url, send = nats_server
    send("a")
    send("b")
    table(forged, kind="nats", url=url, stream="orders", path="{id}.txt")
    assert digests("a", "b", "last") == cut(forged, moment, monkeypatch, send, 2)
    assert ["raw/1.txt", "raw/2.txt", "raw/3.txt"] == files(forged)
    last = forged.git("log", "-1", "--format=%(trailers:key=Tea-Offset,valueonly)", "origin/main")
    assert '"3"' == last.strip()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_topic_of_mqtt_that_is_cut_at_any_moment_is_read_on(
    moment: str, forged: Lab, mosquitto: tuple[str, Send], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message once, also what came while nobody read: the broker sends again what was not kept."""
    url, send = mosquitto
    table(forged, kind="mqtt", url=url, stream="orders/+", path="{id}.txt")
    hands = Hands(forged)
    with contextlib.closing(TriggerListener(hands.site)) as listener:
        # The session begins with the first connection.
        for _ in range(20):
            listener.look()
            time.sleep(0.1)
    hands.close()
    send("a")
    send("b")
    assert digests("a", "b", "last") == cut(forged, moment, monkeypatch, send, 2)


def test_messages_of_a_websocket_become_files(forged: Lab) -> None:
    """As text or bytes; a connection that ends is made again, with the token of the trigger."""
    server: Any = pytest.importorskip("websockets.sync.server")
    seen: list[str] = []

    def handler(connection: Any) -> None:
        seen.append(connection.request.headers.get("Authorization", ""))
        connection.send("text" if len(seen) == 1 else b"bytes")

    (forged.root / "ws-token").write_text("t0ken\n")
    with server.serve(handler, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            url = f"ws://127.0.0.1:{running.socket.getsockname()[1]}/"
            table(forged, kind="websocket", url=url, token_file=str(forged.root / "ws-token"))
            hands = Hands(forged)
            with contextlib.closing(TriggerListener(hands.site)) as listener:
                look_until(listener, lambda: len(files(forged)) >= 2)
            hands.close()
        finally:
            running.shutdown()
            thread.join(10)
    assert {"Bearer t0ken"} == set(seen)
    assert digests("text", "bytes") == committed(forged)
