"""``tea-runner triggers`` as a process of its own, which the kernel kills at each step."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.minio import Minio
from tests.workers.test_brokers import (
    Send,
    committed,
    digests,
    mosquitto,  # noqa: F401 - a fixture
    nats_server,  # noqa: F401 - a fixture
)
from tests.workers.test_bucket_objects import (
    MOMENTS,
    arriving,  # noqa: F401 - a fixture
    bucket,  # noqa: F401 - a fixture
    receiver_port,  # noqa: F401 - a fixture
)
from tests.workers.test_streams import Feed, feed, files, table  # noqa: F401 - a fixture
from tests.workers.test_webhook_events import (
    eventful,  # noqa: F401 - a fixture
    order,
    receiver,
    send,
)

pytestmark = pytest.mark.long

#: Runs the command line; the process is killed when it reaches the moment of its first argument.
_KILLED = """
import os, signal, sys
from tea_runner.host import fault_point
moment = sys.argv.pop(1)
def kill(reached):
    if reached == moment:
        os.kill(os.getpid(), signal.SIGKILL)
fault_point.handler = kill
from tea_runner.cli.main import main
main()
"""
STEPS = (
    "event-refresh",
    "event-refresh.end",
    "event-store",
    "event-store.end",
    "event-publish",
    "settle",
    "settle.end",
    "event-published",
    "event-remove",
)


@contextlib.contextmanager
def listening(lab: Lab, moment: str = "") -> Iterator[process.Process]:
    """The process; killed at a moment, or at the end."""
    lab.site()
    config = lab.root / "hosts/host/tea-runner.toml"
    argv = [sys.executable, "-c", _KILLED, moment, "--config", str(config), "triggers"]
    with (lab.root / "triggers.log").open("ab") as log:
        env = {**lab.env, "HOME": os.environ["HOME"], "PATH": os.environ["PATH"]}
        env["PYTHONPATH"] = str(Path(__file__).parents[2])
        running = process.start_process(argv, env=env, cwd=lab.root, stdout=log, stderr=log)
    try:
        yield running
    finally:
        process.kill(running)


def is_killed_at(lab: Lab, moment: str) -> None:
    """Run the process until the kernel has killed it at the moment."""
    with listening(lab, moment) as running:
        log = lab.root / "triggers.log"
        assert -signal.SIGKILL == running.wait(60), log.read_text()


def until(done: Callable[[], bool], lab: Lab) -> None:
    """Wait while the process works."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, (lab.root / "triggers.log").read_text()
        time.sleep(0.1)


def events(lab: Lab) -> list[str]:
    """Ids of all events that commits of the forge's branch name, sorted."""
    lab.git("fetch", "-q", "origin")
    log = lab.git("log", "--format=%(trailers:key=Tea-Event,valueonly)", "origin/main").split()
    return sorted(log[1::2])


@pytest.mark.parametrize("moment", STEPS)
def test_events_of_webhooks_outlast_a_killed_process(
    moment: str,
    eventful: Lab,  # noqa: F811
) -> None:
    """Each is committed once, whatever was on its way."""
    hands = Hands(eventful)
    client = receiver(hands.site)
    for number in range(3):
        assert 202 == send(client, order(number))
    is_killed_at(eventful, moment)
    assert 202 == send(client, order(3))
    with listening(eventful):
        until(lambda: not hands.site.event_spool.waiting("orders"), eventful)
    assert ["0", "1", "2", "3"] == [each.strip('"') for each in events(eventful)]
    names = [name for name in files(eventful) if "north-" in name]
    assert [f"raw/north-{number}.json" for number in range(4)] == names
    hands.close()


@pytest.mark.parametrize("moment", ["message", *STEPS])
def test_server_sent_events_outlast_a_killed_process(
    moment: str,
    forged: Lab,
    feed: Feed,  # noqa: F811
) -> None:
    """Each message is one file and in one commit."""
    table(forged, kind="sse", url=feed.url, path="{id}.txt")
    feed.messages += ["a", "b"]
    is_killed_at(forged, moment)
    feed.messages.append("c")
    with listening(forged):
        until(lambda: len(files(forged)) == 3, forged)
    assert ["raw/1.txt", "raw/2.txt", "raw/3.txt"] == files(forged)
    assert digests("a", "b", "c") == committed(forged)
    assert ["1", "2", "3"] == events(forged)


@pytest.mark.parametrize("moment", ["message", *STEPS])
def test_messages_of_nats_outlast_a_killed_process(
    moment: str,
    forged: Lab,
    nats_server: tuple[str, Send],  # noqa: F811
) -> None:
    """Each message is one file and in one commit."""
    url, publish = nats_server
    publish("a")
    publish("b")
    table(forged, kind="nats", url=url, stream="orders", path="{id}.txt")
    is_killed_at(forged, moment)
    publish("c")
    with listening(forged):
        until(lambda: len(files(forged)) == 3, forged)
    assert digests("a", "b", "c") == committed(forged)
    assert ["1", "2", "3"] == events(forged)


@pytest.mark.parametrize("moment", ["message", *STEPS])
def test_messages_of_mqtt_outlast_a_killed_process(
    moment: str,
    forged: Lab,
    mosquitto: tuple[str, Send],  # noqa: F811
) -> None:
    """Each message is one file, also one that came while nobody listened: the broker keeps the session."""
    url, publish = mosquitto
    table(forged, kind="mqtt", url=url, stream="orders/+", path="{id}.txt")
    with listening(forged):
        # The session begins with the first connection.
        publish("first")
        until(lambda: _arrives(publish, forged), forged)
    publish("a")
    publish("b")
    is_killed_at(forged, moment)
    publish("c")
    with listening(forged):
        until(lambda: digests("a", "b", "c") <= committed(forged), forged)
    links = [forged.git("show", f"origin/main:{name}") for name in files(forged)]
    assert [1, 1, 1] == [sum(each in link for link in links) for each in digests("a", "b", "c")]
    assert len(events(forged)) == len(set(events(forged))) == len(files(forged))


def _arrives(publish: Send, lab: Lab) -> bool:
    """Whether a message has become a file; another one is sent where none has."""
    if files(lab):
        return True
    time.sleep(1)
    publish("first")
    return False


@pytest.mark.parametrize("moment", MOMENTS)
def test_objects_of_a_bucket_outlast_a_killed_process(
    moment: str,
    arriving: Lab,  # noqa: F811
    bucket: Minio,  # noqa: F811
) -> None:
    """Each object is one annexed file and in one commit; the process looks when it starts."""
    bucket.put(one="1", two="2")
    is_killed_at(arriving, moment)
    bucket.put(three="3")
    with listening(arriving):
        until(lambda: len(files(arriving)) == 3, arriving)
    assert ["raw/one.dat", "raw/three.dat", "raw/two.dat"] == files(arriving)
    log = arriving.git("log", "--format=%s", "--grep=^Tea-Trigger: arrivals", "origin/main")
    added = [int(line.split()[1]) for line in log.splitlines()]
    assert 3 == sum(added), log
