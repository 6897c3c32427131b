"""All processes of one host: Redis, receiver, planner, reconciler, workers.

Without a forge in the settings, the embedded forge is started as well; or a Gitea and a MinIO, on request.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import requests

from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.embedded_forge_setup import EmbeddedAccess, embed_forge, local_web
from tea_runner.cli.lab_gitea_and_minio import LabServers
from tea_runner.cli.main import Context
from tea_runner.cli.running_server_settings import lent_settings
from tea_runner.cli.start_checks import require_port, require_sandbox, state_lock
from tea_runner.core.errors import OutsideError
from tea_runner.host.deferred_signals import deferred_signals
from tea_runner.host.supervisor import Supervisor

log = logging.getLogger(__name__)

_START_TIMEOUT = 60.0


class LocalStack:
    """All processes of one host; a context manager that starts and stops them.

    :param tell: gets a line before each step of the start.
    :param lab: makes a Gitea and a MinIO for the context, which then are the forge and the storage.
    """

    def __init__(
        self,
        context: Context,
        *,
        workers: int | None = None,
        tell: Callable[[str], None] = lambda _: None,
        lab: Callable[[Context], LabServers] | None = None,
    ) -> None:
        self.state = context.settings.state.expanduser().resolve()
        # A server that ends just now in the same folder lends nothing to this one.
        self.context = replace(context.with_flags({"state": str(self.state)}), beside=False)
        self.workers = workers or context.settings.worker.count
        self._tell = tell
        self.embedded: EmbeddedAccess | None = None
        self.lab = lab(self.context) if lab is not None else None
        self._supervisor = Supervisor()
        self._broker: RedisServer | None = None
        self._lock = contextlib.ExitStack()

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
        self._tell(f"starting in {self.state} …")
        require_sandbox(self.context)
        self._lock.enter_context(state_lock(self.state))
        require_port(self.context)
        (self.state / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = self.context.settings
        if self.lab is not None:
            self._tell(f"starting MinIO and Gitea at {self.lab.gitea_url} …")
            self.context = self.lab.start(self._supervise, self._wait)
            self._lock.enter_context(lent_settings(self.state, self.lab.flags))
            settings = self.context.settings
        elif settings.source("forge.url") == "default":
            self.context, self.embedded = embed_forge(self.context)
            self._lock.enter_context(lent_settings(self.state, self.embedded.flags))
        if not settings.redis.url:
            self._tell("starting Redis …")
            self._broker = RedisServer(self.state, self.context.variables)
            with deferred_signals():
                self._broker.start()
        if self.embedded is not None:
            self._tell(f"starting the embedded forge at {self.embedded.url} …")
            # A container that publishes its pages publishes its forge as well.
            address = ("--host", settings.web.host, "--port", str(self.embedded.port))
            self._child("forge", "serve", "--root", str(self.state / "forge"), *address)
            self._wait(f"{self.embedded.url}/api/v1/version", "the embedded forge")
        what = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        self._tell(f"starting receiver, pages, planner, reconciler and {what} …")
        self._child("serve")
        self._child("planner")
        self._child("reconcile")
        if settings.triggers:
            self._child("triggers")
        for number in range(self.workers):
            self._child("worker", "-j", "1", name=f"worker-{number + 1}")
        self._wait(f"http://{local_web(settings)}/readyz", "the receiver")

    def _child(self, *verb: str, name: str = "") -> None:
        argv = [sys.executable, "-P", "-m", "tea_runner", *child_options(self.context), *verb]
        label = name or verb[0]
        self._supervise(label, argv, self.context.variables)

    def _supervise(self, name: str, argv: list[str], env: Mapping[str, str]) -> None:
        with deferred_signals():
            self._supervisor.add(name, argv, dict(env), self.state / "logs" / f"{name}.log")

    def _wait(self, url: str, what: str) -> None:
        """Wait until *url* answers 200.

        :raises OutsideError: when it does not within a minute.
        """
        last = f"see the logs in {self.state / 'logs'}"
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            with deferred_signals():
                ended = self._supervisor.restart_ended()
            last = ended[-1] if ended else last
            with contextlib.suppress(requests.RequestException):
                if requests.get(url, timeout=1).status_code == 200:
                    return
            time.sleep(0.1)
        raise OutsideError(f"{what} did not start; {last}")

    @property
    def web_url(self) -> str:
        """Address of the pages."""
        return self.context.settings.web_url

    @property
    def pages_url(self) -> str:
        """Address of the pages that signs in, for the person who started the servers."""
        return f"{self.web_url}/?token={self.context.site.pages_token}"

    def run(
        self, stopped: Callable[[float], bool], look: Callable[[], None] = lambda: None
    ) -> None:
        """Keep all processes running until ``stopped(seconds)`` is true.

        :param look: called several times a second.
        """
        while not stopped(0.25):
            self.restart_ended()
            look()

    def reload(self, stop: Callable[[], None]) -> None:
        """Handle SIGHUP: all processes read their settings again; see :meth:`Supervisor.reload`."""
        self._supervisor.reload(stop)

    def restart_ended(self) -> None:
        """Start the processes again that have ended."""
        if self._broker is not None and not self._broker.alive:
            log.warning("Redis ended; it is restarted, and lost plans are made again")
            try:
                self._broker.start()
            except OutsideError as error:
                log.warning("%s", error.message)
        for line in self._supervisor.restart_ended():
            log.warning("%s", line)

    def stop(self) -> None:
        """Stop all processes and wait for their end."""
        self._supervisor.stop(self.context.settings.worker.grace + 5)
        if self._broker is not None:
            self._broker.stop()
        self._lock.close()


def child_options(context: Context) -> list[str]:
    """Options of the command line that give another process the settings of *context*."""
    options = ["--config", str(context.config)] if context.config else []
    for name, value in context.flags.items():
        options += ["-c", f"{name}={value}"]
    return options
