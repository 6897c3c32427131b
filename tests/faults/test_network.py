"""A faulty network between server, Redis and forge: nothing is lost or doubled."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path
from typing import get_args

from tests import listening
from tests.faults.embedded import EmbeddedWorld
from tests.faults.oracle import Lineage
from tests.faults.person import Person
from tests.faults.proxy import Mood, Proxy
from tests.faults.report import record
from tests.faults.test_forge import a_seed
from tests.faulty_forge import Faults

#: Moods in a row, each followed by a calm.
MOODS = 24


class FarWorld(EmbeddedWorld):
    """As its parent, but Redis and the forge are reached through proxies."""

    def __init__(self, root: Path) -> None:
        self.to_redis = Proxy(self._redis)
        self.to_forge = Proxy(self._forge)
        super().__init__(root, Faults())

    def _redis(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(self.broker.url.removeprefix("unix://").partition("?")[0])
        return connection

    def _forge(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.embedded.port), 5)

    @property
    def redis_url(self) -> str:
        """As the server's processes know it."""
        return f"redis://127.0.0.1:{self.to_redis.port}/0"

    def forge_settings(self) -> str:
        """The forge's address is the proxy's."""
        return (
            super()
            .forge_settings()
            .replace(self.embedded.url, f"http://127.0.0.1:{self.to_forge.port}")
        )


def test_a_connection_passes_and_then_meets_each_mood() -> None:
    """What the proxy is told is what its client sees."""
    server = socket.create_server(("127.0.0.1", 0))
    address = server.getsockname()
    thread = threading.Thread(target=_echo, args=(server,), daemon=True)
    thread.start()
    with Proxy(lambda: socket.create_connection(address, 5)) as proxy:
        seen = {mood: _ask(proxy, mood) for mood in get_args(Mood)}
    listening.end(server, thread)
    assert {
        "pass": "0123456789",
        "refuse": "reset",
        "hang": "silence",
        "cut": "01234 reset",
        "slow": "0123456789",
    } == seen


def _echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(connection.recv(100))


def _ask(proxy: Proxy, mood: Mood) -> str:
    proxy.mood = mood
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
            client.settimeout(1)
            client.sendall(b"0123456789")
            while piece := client.recv(100):
                said += piece
    except TimeoutError:
        return "silence"
    except OSError:
        return f"{said.decode()} reset".strip()
    return said.decode()


def test_moods_of_the_network(tmp_path: Path, pair: list[Lineage]) -> None:
    """Each push leads to its own results and statuses, whatever the way to Redis and forge does."""
    seed = a_seed()
    choose = random.Random(seed)
    moods = [mood for mood in get_args(Mood) if mood != "pass"]
    began = time.monotonic()
    world = FarWorld(tmp_path)
    with world.to_redis, world.to_forge, world:
        people = [Person(world, one, seed=seed, drop=0.0, patience=120) for one in pair]
        for person in people:
            person.storm()
            person.start()
        for number in range(MOODS):
            proxy = (world.to_redis, world.to_forge)[number % 2]
            proxy.mood = moods[number // 2 % len(moods)]
            time.sleep(choose.uniform(0.3, 2.5))
            proxy.mood = "pass"
            time.sleep(choose.uniform(0.0, 1.0))
        calm = time.monotonic()
        for person in people:
            person.calm()
            person.finish()
        for person in people:
            person.join()
        recovered = time.monotonic() - calm
        bugs = [
            line
            for role in world.roles.values()
            for line in role.said().splitlines()
            if "this is a bug of ours" in line or line.startswith("Traceback")
        ]
    seen = [person.seen for person in people]
    record(
        "network refuses, hangs, cuts, slows",
        faults=MOODS,
        seen=seen,
        seconds=time.monotonic() - began,
        recovered=recovered,
    )
    wrong = [text for one in seen for text in one.wrong]
    assert ([], []) == (wrong, bugs), f"TEA_FAULTS_SEED={seed}"
