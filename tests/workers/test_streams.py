"""Streams that become files: each message once, wherever a process ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tea_runner.host import fault_point, process
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.test_whole_way import free_port
from workers.trigger_listener import TriggerListener

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # A thread of a process that "ends" in a test raises what ended it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
MOMENTS = ("message", "event-publish", "settle.end", "event-published", "event-remove")


class Feed:
    """A server of server-sent events that goes on after the id that it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._closed = threading.Event()
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = int(self.headers.get("Last-Event-ID", "0"))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                with contextlib.suppress(OSError):
                    while not feed._closed.wait(0.05):
                        self.wfile.write(b":\n")
                        for text in feed.messages[sent:]:
                            sent += 1
                            self.wfile.write(f"id: {sent}\ndata: {text}\n\n".encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._closed.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


@pytest.fixture
def feed() -> Iterator[Feed]:
    """A feed without messages."""
    made = Feed()
    yield made
    made.close()


def table(lab: Lab, **fields: str) -> None:
    """Give the lab a trigger."""
    text = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    lab.tables = f'[[triggers]]\nname = "stream"\nrepository = "{lab.name}"\nfolder = "raw"\n{text}'


def look_until(listener: TriggerListener, done: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, listener.problem
        listener.look()
        time.sleep(0.05)


def files(lab: Lab) -> list[str]:
    """Files of the stream at the forge's tip, and the commits that brought them."""
    lab.git("fetch", "-q", "origin")
    # Another process may push meanwhile: what was fetched counts.
    names = lab.git("ls-tree", "-r", "--name-only", "origin/main", "raw").split()
    return [name for name in names if name != "raw/a.txt"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stream_that_is_cut_at_any_moment_is_read_on(
    moment: str, forged: Lab, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message is lost, and none is committed twice; the offset is in the commit's trailer."""
    table(forged, kind="sse", url=feed.url, path="{id}.txt")
    hands = Hands(forged)
    feed.messages += ["a", "b"]

    class Killed(BaseException):
        """The process ends here."""

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
    feed.messages.append("c")
    with contextlib.closing(TriggerListener(hands.site)) as other:
        look_until(other, lambda: len(files(forged)) == 3)
        for _ in range(3):
            other.look()
    assert ["raw/1.txt", "raw/2.txt", "raw/3.txt"] == files(forged)
    log = forged.git("log", "--format=%(trailers:key=Tea-Event,valueonly)", "origin/main").split()
    assert sorted(log[1::2]) == ["1", "2", "3"]
    last = forged.git("log", "-1", "--format=%(trailers:key=Tea-Offset,valueonly)", "origin/main")
    assert '"3"' == last.strip()
    hands.close()


def test_an_address_is_polled_and_its_changes_are_files(forged: Lab, tmp_path: Path) -> None:
    """A daily table: one path, which is written anew when the table changes."""
    port, folder = free_port(), tmp_path / "site"
    folder.mkdir()
    (folder / "table.csv").write_text("1\n")
    argv = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with (tmp_path / "site.log").open("wb") as log:
        server = process.start_process(
            argv, env=dict(os.environ), cwd=folder, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}/table.csv"
        table(forged, kind="http", url=url, path="table.csv")
        forged.tables += "every = 1\n"
        hands = Hands(forged)
        with contextlib.closing(TriggerListener(hands.site)) as listener:
            look_until(listener, lambda: files(forged) == ["raw/table.csv"])
            before = forged.tip()
            time.sleep(2)
            listener.look()
            assert before == forged.tip()
            (folder / "table.csv").write_text("1\n2\n")
            os.utime(folder / "table.csv", (0, time.time() + 5))
            look_until(listener, lambda: forged.tip() != before)
        hands.close()
    finally:
        process.kill(server)


@pytest.fixture
def moto(tmp_path: Path) -> Iterator[str]:
    """Address of a server of moto, which stands for Amazon's."""
    program = os.environ.get("TEA_TEST_MOTO") or shutil.which("moto_server")
    if program is None:
        pytest.skip("needs moto_server: pip install 'moto[server,kinesis]'")
    port = free_port()
    with (tmp_path / "moto.log").open("wb") as log:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        argv = [program, "-H", "127.0.0.1", "-p", str(port)]
        server = process.start_process(argv, env=env, stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}"
    process.kill(server)


def test_records_of_kinesis_become_files(forged: Lab, moto: str) -> None:
    """Of all shards; a new process goes on where git says that the last one was."""
    boto3: Any = pytest.importorskip("boto3")
    client = boto3.client(
        "kinesis",
        endpoint_url=moto,
        region_name="eu-central-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
    )
    for attempt in itertools.count():
        try:
            client.create_stream(StreamName="orders", ShardCount=2)
            break
        except Exception:
            assert attempt < 100
            time.sleep(0.2)
    values = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_REGION": "eu-central-1",
    }
    for name, value in values.items():
        (forged.root / name).write_text(value)
    table(forged, kind="kinesis", stream="orders", url=moto, path="{/n}.json")
    env = ", ".join(f'{name} = "{forged.root}/{name}"' for name in values)
    forged.tables += f"env = {{ {env} }}\n"

    def put(*numbers: int) -> None:
        for number in numbers:
            data = json.dumps({"n": number}).encode()
            client.put_record(StreamName="orders", Data=data, PartitionKey=str(number))

    hands = Hands(forged)
    put(1, 2, 3, 4)
    with contextlib.closing(TriggerListener(hands.site)) as listener:
        look_until(listener, lambda: len(files(forged)) == 4)
    put(5)
    with contextlib.closing(TriggerListener(hands.site)) as listener:
        look_until(listener, lambda: len(files(forged)) == 5)
    assert [f"raw/{number}.json" for number in range(1, 6)] == files(forged)
    outcomes = [event.outcome for event in hands.site.events.latest()]
    assert ["committed"] * 5 == outcomes
    client.close()
    hands.close()
