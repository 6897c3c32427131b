"""Settings in, everything of one host running out: queue, receiver, planner, reconciler, workers.

Where no forge is set, the embedded one is started, too, with a user, a bot, and a storage.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.main import Context
from tea_runner.cli.start_checks import alone, require_port, require_sandbox
from tea_runner.core.errors import OutsideError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.hook_store import HookStore
from tea_runner.host.supervisor import Supervisor
from tea_runner.settings import load_settings

log = logging.getLogger(__name__)

PERSON = "me"
BOT = "tea-runner"


@dataclass(frozen=True, kw_only=True)
class EmbeddedAccess:
    """How a person reaches the embedded forge."""

    url: str
    user: str
    password: str
    store: Path


class LocalStack:
    """Everything of one host; use it as a context manager."""

    def __init__(self, context: Context, *, workers: int | None = None) -> None:
        self.context = context
        self.settings = context.settings
        self.state = self.settings.state.expanduser().resolve()
        self.workers = workers or self.settings.worker.count
        self.embedded: EmbeddedAccess | None = None
        self._supervisor = Supervisor()
        self._broker: RedisServer | None = None
        self._config = context.config
        self._alone = contextlib.ExitStack()

    def __enter__(self) -> LocalStack:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _start(self) -> None:
        require_sandbox(self.context)
        self._alone.enter_context(alone(self.state))
        require_port(self.context)
        for folder in ("logs", "store"):
            (self.state / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.settings.source("forge.url") == "default":
            self._embed()
        if not self.settings.redis.url:
            self._broker = RedisServer(self.state, self.context.variables)
            self._broker.start()
        if self.embedded is not None:
            _, port = _address(self.embedded.url)
            # Whoever lets others reach the pages lets them reach the forge, too: in a container.
            host = self.settings.web.host
            self._child(
                "forge",
                "serve",
                "--root",
                str(self.state / "forge"),
                "--host",
                host,
                "--port",
                str(port),
                name="forge",
            )
            self._wait(f"{self.embedded.url}/api/v1/version", "the embedded forge")
        self._child("serve")
        self._child("planner")
        self._child("reconcile")
        for number in range(self.workers):
            self._child("worker", name=f"worker-{number + 1}")
        self._wait(f"http://{self._local_web()}/readyz", "the receiver")

    def _local_web(self) -> str:
        web = self.settings.web
        host = "127.0.0.1" if web.host in ("0.0.0.0", "::", "") else web.host  # noqa: S104
        return f"{host}:{web.port}"

    def _embed(self) -> None:
        """Accounts and settings for the embedded forge; made once, kept in the state folder."""
        access = self.state / "forge-access.json"
        port = 3000 if _is_free(3000) else free_port()
        if access.exists():
            kept = json.loads(access.read_text())
            port = kept["port"] if _is_free(kept["port"]) else port
        else:
            kept = {"password": secrets.token_urlsafe(9)}
        hooks = HookStore(self.state / "hooks")
        hook = next(iter(hooks.all()), None) or hooks.new("gitea", "*/*")
        hooks.keep(hook)
        address = f"http://{self._local_web()}/hooks/gitea/{hook.id}"
        with EmbeddedForge(self.state / "forge") as forge:
            if "token" not in kept:
                forge.add_user(PERSON, kept["password"])
                forge.add_user(BOT, secrets.token_urlsafe(18), admin=True)
                kept["token"] = forge.add_token(BOT)
            forge.hook_everything(address, hook.secrets[0])
        kept["port"] = port
        access.touch(mode=0o600)
        access.write_text(json.dumps(kept))
        token = self.state / "forge.token"
        token.touch(mode=0o600)
        token.write_text(kept["token"])
        url = f"http://127.0.0.1:{port}"
        store = self.state / "store"
        extra = self.context.config.read_text() if self.context.config else ""
        text = (
            f'{extra}\n[forge]\nkind = "gitea"\nurl = {json.dumps(url)}\nuser = "{BOT}"\n'
            f"token_file = {json.dumps(str(token))}\n\n"
            f'[[storage]]\nname = "store"\ntype = "directory"\n'
            f"[storage.options]\ndirectory = {json.dumps(str(store))}\n"
        )
        self._config = self.state / "up.toml"
        self._config.write_text(text)
        flags = {
            **self.context.flags,
            "repositories": self.context.flags.get("repositories", "*/*"),
        }
        self.context.flags.update(flags)
        self.settings = load_settings(
            file=self._config, env=self.context.variables, flags=self.context.flags
        )
        self.embedded = EmbeddedAccess(url=url, user=PERSON, password=kept["password"], store=store)

    def _child(self, *verb: str, name: str = "") -> None:
        argv = [sys.executable, "-m", "tea_runner"]
        if self._config:
            argv += ["--config", str(self._config)]
        flags = {**self.context.flags, "state": str(self.state)}
        for key, value in flags.items():
            argv += ["-c", f"{key}={value}"]
        label = name or verb[0]
        env = dict(self.context.variables)
        self._supervisor.add(label, [*argv, *verb], env, self.state / "logs" / f"{label}.log")

    def _wait(self, url: str, what: str) -> None:
        last = f"see the logs in {self.state / 'logs'}"
        for _ in range(200):
            for line in self._supervisor.look():
                last = line
            try:
                if requests.get(url, timeout=1).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise OutsideError(f"{what} did not start; {last}")

    @property
    def web_url(self) -> str:
        """Where the pages are."""
        return self.settings.web_url

    def run(self, stopped: Callable[[float], bool]) -> None:
        """Keep everything running until *stopped* says so."""
        while not stopped(0.25):
            self.look()

    def look(self) -> None:
        """Start again what has ended."""
        if self._broker is not None and not self._broker.alive:
            log.warning("Redis ended; it is started again, and what it forgot is planned again")
            try:
                self._broker.start()
            except OutsideError as error:
                log.warning("%s", error.message)
        for line in self._supervisor.look():
            log.warning("%s", line)

    def stop(self) -> None:
        """End everything; no process stays behind."""
        self._supervisor.stop(self.settings.worker.grace + 5)
        if self._broker is not None:
            self._broker.stop()
        self._alone.close()


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("//")[2].partition(":")
    return host, int(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
