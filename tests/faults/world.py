"""A server of real processes that are restarted when they end, as the target of faults.

A folder of bare repositories is the forge, a directory is the storage; planner, reconciler and workers
are processes as a person would start them, on two hosts that share nothing but Redis.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.job_store import JobStore
from tea_runner.broker.plan_requests import PlanRequestStore
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_queues import Queues
from tea_runner.core.errors import TeaError
from tea_runner.forge.folder import FolderForge
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path
from tests.faults.injected.sitecustomize import VARIABLE

#: Folder whose sitecustomize installs the fault injector in a child process.
INJECTED = Path(__file__).with_name("injected")
LEASE = 5
GRACE = 6
#: Seconds after its grace in which a process that was told to end has ended, on a machine that has
#: much else to do.  One that does not look at the signal never ends.
LATE = 10


@dataclass
class Role:
    """One process of the server, which is started again whenever it ends."""

    name: str
    verb: str
    host: str
    log: Path
    fail: str = ""
    running: process.Process | None = None
    starts: int = 0

    @property
    def pid(self) -> int:
        """Of the process that runs, 0 when none does."""
        alive = self.running is not None and self.running.poll() is None
        return self.running.pid if alive and self.running is not None else 0

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


class World:
    """Forge, storage, Redis, and the processes; use it as a context manager."""

    def __init__(
        self,
        root: Path,
        roles: Mapping[str, tuple[str, str]],
        *,
        lease: int = LEASE,
        crashes: int = 1000,
        every: int = 1,
        free: int = 0,
    ) -> None:
        """All of it, not started yet.

        :param roles: name to (verb, host).
        :param every: seconds between two rounds of the reconciler.
        :param free: bytes of scratch below which a worker takes no job.
        """
        self.root = root
        self.forge = FolderForge(root / "forge")
        self.store = root / "store"
        for folder in ("forge/lab", "forge/over", "store", "broker", "logs"):
            (root / folder).mkdir(parents=True)
        self.env = {**os.environ, "PATH": tool_path(os.environ)}
        self.broker = RedisServer(root / "broker", self.env)
        self.broker.start()
        self.key = root / "queue.key"
        self.key.write_text("a key that all hosts share")
        self._lease, self._crashes, self._every, self._free = lease, crashes, every, free
        self.roles = {
            name: Role(name, verb, host, root / "logs" / f"{name}.log")
            for name, (verb, host) in roles.items()
        }
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self.redis = connect(self.broker.url, 2.0)
        queue = Queues(self.redis).enqueue
        self.plans = PlanRequestStore(self.redis, queue)
        self.jobs = JobStore(self.redis, queue, secret=self.key.read_bytes())

    def settings(self, host: str) -> Path:
        """The settings file of a host."""
        path = self.root / host / "tea-runner.toml"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_text(
                f'state = "{path.parent}"\nrepositories = ["lab/*"]\n'
                f'[redis]\nurl = "{self.redis_url}"\nkey_file = "{self.key}"\n'
                # As in the oracle: its repository has another name, which a signature states.
                f"[trust]\nunsigned = true\n"
                f'[sandbox]\nkind = "off"\n[forge]\n{self.forge_settings()}'
                f"[worker]\nlease = {self._lease}\ngrace = {GRACE}\n"
                f"free = {self._free}\ncrashes = {self._crashes}\n"
                f'[reconcile]\nevery = {self._every}\n[[storage]]\nname = "store"\ntype = "directory"\n'
                f'[storage.options]\ndirectory = "{self.store}"\n'
            )
        return path

    @property
    def redis_url(self) -> str:
        """Where the server's processes find Redis."""
        return self.broker.url

    # -- the forge ---------------------------------------------------------------------------

    def forge_settings(self) -> str:
        """What the server is told of the forge."""
        return f'kind = "folder"\nurl = "{self.forge.root}"\n'

    def where(self, name: str) -> Path:
        """A repository's folder."""
        return self.forge.root / "lab" / f"{name}.git"

    def make(self, name: str) -> None:
        """An empty repository."""
        made = self.where(name).with_suffix(".new")
        process.run(["git", "init", "-q", "--bare", "-b", "main", str(made)], env=self.env)
        for option in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            process.run(["git", f"--git-dir={made}", "config", option, "true"], env=self.env)
        made.rename(self.where(name))

    def retire(self, name: str) -> None:
        """Take a repository away from the forge."""
        self.where(name).rename(self.root / "forge" / "over" / f"{name}.git")

    def tip(self, name: str) -> str:
        """Where a repository's branch is."""
        return self.forge.branches(f"lab/{name}").get("main", "")

    def announce(self, name: str, before: str, after: str) -> None:
        """What the forge does after a push; it may get lost."""
        with contextlib.suppress(TeaError):
            self.plans.request_plan(f"lab/{name}", "refs/heads/main", why=f"{before} {after}")

    def unsaid(self, name: str, commit: str) -> str:
        """What the forge should say of a commit and does not; this one says nothing."""
        del name, commit
        return ""

    def standing(self, name: str) -> str:
        """What Redis says of a repository's branch and of jobs that have not ended, for who looks why."""
        try:
            marks: list[str] = []
            branch = redis_keys.branch_id(f"lab/{name}", "main")
            held: dict[str, Any] = {
                "plan request": self.redis.hget(redis_keys.plan_requests(), branch),
                "plan lock": self.redis.get(redis_keys.plan_lock(branch)),
                "planned": self.redis.hget(redis_keys.planned(f"lab/{name}"), "main"),
                "pending": self.redis.smembers(redis_keys.pending(branch)),
            }
            marks += [f"{what} {value}" for what, value in held.items()]
            for job, facts in self.jobs.live().items():
                if facts.job is not None and facts.job.repository == f"lab/{name}":
                    raw = self.jobs.get(job)
                    raw.pop("body", "")
                    marks.append(
                        f"job {job[:12]} {raw} lease {self.redis.ttl(redis_keys.lease(job))}"
                    )
            return "; ".join(marks)
        except (redis.RedisError, TeaError) as error:
            return str(error)

    # -- processes ---------------------------------------------------------------------------

    def __enter__(self) -> World:
        for role in self.roles.values():
            self._start(role)
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for role in self.roles.values():
            self.signal(role.name, signal.SIGCONT)
            self.signal(role.name, signal.SIGTERM)
        end = time.monotonic() + GRACE + 5
        for role in self.roles.values():
            if role.running is not None:
                below = process.descendants(role.running.pid)
                with contextlib.suppress(process.Timeout):
                    role.running.wait(timeout=max(0.1, end - time.monotonic()))
                process.kill(role.running)
                for pid in below:
                    _signal(pid, signal.SIGKILL)
        self.redis.close()
        self.broker.stop()

    def command(self, role: Role) -> list[str]:
        """What is started for a role."""
        settings = str(self.settings(role.host))
        return [sys.executable, "-m", "tea_runner", "--config", settings, role.verb]

    def _start(self, role: Role) -> None:
        fault = {VARIABLE: role.fail, "PYTHONPATH": str(INJECTED)} if role.fail else {}
        env = {**self.env, **fault}
        role.fail = ""  # a fault is armed once
        role.starts += 1
        with role.log.open("ab") as log:
            role.running = process.start_process(
                self.command(role), env=env, cwd=self.root, stdout=log, stderr=log
            )

    def _keep(self) -> None:
        while not self._over.wait(0.05):
            with self._lock:
                for role in self.roles.values():
                    if role.running is not None and role.running.poll() is not None:
                        self._start(role)
                if not self.broker.alive:
                    self.broker.start()

    def held(self) -> contextlib.AbstractContextManager[object]:
        """Nothing is started again meanwhile."""
        return self._lock

    @property
    def redis_data(self) -> Path:
        """Where Redis keeps what it holds."""
        return self.root / "broker" / "redis"

    def kill_redis(self) -> None:
        """End Redis as a power cut does."""
        _signal(self.broker.pid, signal.SIGKILL)
        while self.broker.alive:
            time.sleep(0.01)

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a role's process; returns its id, 0 when it does not run."""
        with self._lock:
            pid = self.roles[name].pid
            return pid if pid and _signal(pid, number) else 0

    def arm(self, name: str, fail: str) -> float:
        """Start a role's process anew with this fault; returns how long the old one took to end."""
        role = self.roles[name]
        with self._lock:
            role.fail = fail
            assert role.running is not None
            old = role.running
            _signal(old.pid, signal.SIGTERM)
        began = time.monotonic()
        old.wait(timeout=GRACE + 30)
        return time.monotonic() - began

    def descendants(self, name: str) -> list[int]:
        """What a role's process has started, without what runs on the forge's side."""
        pid = self.roles[name].pid
        return [each for each in process.descendants(pid) if not _of_the_forge(each)] if pid else []


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _of_the_forge(pid: int) -> bool:
    """What a push to a folder starts there: a real forge's own process, which nobody here kills."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
    names = (b"receive-pack", b"upload-pack", b"unpack-objects", b"index-pack", b"rev-list")
    return any(name in word for word in words for name in names)
