"""Signals to single processes: how they end, what they refuse, how fast they react."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.plan_requests import PlanRequestStore
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_queues import Queues
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.settings import load_settings
from tea_runner.web.app import WebDependencies, create_app
from tests.e2e.conftest import folder_lab
from tests.e2e.pipelines import ATTRIBUTES, spec
from tests.faults.world import GRACE, LATE, World
from tests.web.deliveries import Row

ROLES = {
    "planner": ("planner", "one"),
    "reconcile": ("reconcile", "one"),
    "worker": ("worker", "one"),
}


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    """Until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def dataset(root: Path, world: World, command: str, attributes: str = "") -> None:
    """A repository ``lab/data`` with one file and this command, on the world's forge."""
    root.mkdir()
    lab = folder_lab(root)
    rules = {".gitattributes": attributes} if attributes else ATTRIBUTES
    lab.create(files={**rules, "raw/a.txt": "a\n", "up/spec.yml": spec("up", command)})
    lab.push()
    lab.close()
    for path in lab.store.rglob("*"):
        if path.is_file():
            target = world.store / path.relative_to(lab.store)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copytree(root / "forge/lab/data.git", world.where("data"))


def states(world: World) -> list[str]:
    """Of all jobs."""
    found = []
    for name in world.redis.scan_iter(redis_keys.job("*")):
        found.append(str(world.redis.hget(name, "state"), "utf-8"))
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A planner, a reconciler, a worker; a job may kill three workers."""
    with World(tmp_path / "world", ROLES, crashes=3) as made:
        yield made


@pytest.mark.parametrize("redis", ["lives", "hangs", "is gone"])
def test_idle_processes_end_at_once(world: World, redis: str) -> None:
    """SIGTERM is enough, whatever Redis does; the exit code says that all is well."""
    wait_for(lambda: world.redis.scard("rq:workers") == 2)
    with world.held():
        if redis == "hangs":
            os.kill(world.broker.pid, signal.SIGSTOP)
        elif redis == "is gone":
            world.kill_redis()
        time.sleep(1.0)
        began = time.monotonic()
        codes = {}
        for name in world.roles:
            world.signal(name, signal.SIGTERM)
        for name, role in world.roles.items():
            assert role.running is not None
            codes[name] = role.running.wait(timeout=GRACE + 10)
        took = time.monotonic() - began
        if redis == "hangs":
            os.kill(world.broker.pid, signal.SIGCONT)

    assert {"planner": 0, "reconcile": 0, "worker": 0} == codes
    assert took < GRACE + LATE


def test_who_is_told_twice_ends_once(world: World) -> None:
    """Signal upon signal, at any moment of the end, the interpreter's own included: no word of a bug."""
    wait_for(lambda: world.redis.scard("rq:workers") == 2)
    with world.held():
        codes = {}
        for name, role in world.roles.items():
            assert role.running is not None
            while role.running.poll() is None:
                world.signal(name, signal.SIGTERM)
                time.sleep(0.002)
            codes[name] = role.running.wait()
        said = "".join(role.said() for role in world.roles.values())
    assert {0, -signal.SIGTERM} >= {*codes.values()}
    assert "bug" not in said


def test_a_stopped_worker_gives_its_job_back(tmp_path: Path, world: World) -> None:
    """After the time of grace the command is ended, and another worker may begin at once."""
    running = tmp_path / "running"
    dataset(tmp_path / "lab", world, f"echo $$ >> {running}; sleep 300")
    wait_for(running.exists)
    pid = int(running.read_text().split()[0])
    with world.held():
        began = time.monotonic()
        worker = world.roles["worker"].running
        assert worker is not None
        worker.terminate()
        code = worker.wait(timeout=60)
        took = time.monotonic() - began
        assert ["waiting"] == states(world)
        assert not Path(f"/proc/{pid}").exists()

    assert (0, True) == (code, took < GRACE + LATE)
    wait_for(lambda: len(running.read_text().split()) == 2, 20)


@pytest.mark.soak
def test_a_killed_workers_job_runs_again_within_90_s_at_default_settings(tmp_path: Path) -> None:
    """The lease, and the look of the reconciler at silent workers, are those of a plain installation."""
    usual = load_settings(file=None, env={"HOME": str(tmp_path)}, flags={})
    roles = {**ROLES, "worker-2": ("worker", "two")}
    running = tmp_path / "running"
    with World(
        tmp_path / "world",
        roles,
        lease=usual.worker.lease,
        every=int(usual.reconcile.every),
    ) as world:
        dataset(tmp_path / "lab", world, f"echo $$ >> {running}; sleep 300")
        world.announce("data", "", "")
        wait_for(running.exists)
        with world.held():
            for name in ("worker", "worker-2"):
                world.signal(name, signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: len(running.read_text().split()) == 2, 120)
        took = time.monotonic() - began
    assert took < 90


def test_a_job_that_kills_its_workers_is_parked(tmp_path: Path, world: World) -> None:
    """Four workers die; then the datum has failed, with the reason, and other work goes on."""
    dataset(tmp_path / "lab", world, "kill -9 $PPID; sleep 5")

    wait_for(lambda: states(world) == ["failed"], 90)
    (name,) = world.redis.scan_iter(redis_keys.failure("*", "*"))
    assert b"its worker died 3 times in a row" in (world.redis.get(name) or b"")
    assert 4 <= world.roles["worker"].starts
    assert {} == QueueConsistency(world.redis, Queues(world.redis)).jobs()


@pytest.mark.parametrize("how", ["hangs", "is gone", "is full"])
def test_the_receiver_says_503_within_a_second(tmp_path: Path, how: str) -> None:
    """The forge gets its answer, and the reconciler finds the push later."""
    broker = RedisServer(tmp_path, {"PATH": os.environ["PATH"]})
    broker.start()
    connection = connect(broker.url, 0.8)
    settings = load_settings(file=None, env={"TEA_RUNNER_STATE": str(tmp_path)}, flags={})
    hooks = WebhookStore(tmp_path / "hooks")
    hook = hooks.new("gitea", "lab/edges")
    hooks.keep(hook)
    requests = PlanRequestStore(connection, Queues(connection).enqueue)
    app = create_app(
        WebDependencies(settings=settings, webhooks=hooks, requests=requests, ready={})
    )
    row = Row(row="0", name="a correct push", status=202, secret=hook.secrets[0])
    client = app.test_client()

    def deliver() -> tuple[int, float]:
        began = time.monotonic()
        answer = client.post(f"/hooks/gitea/{hook.id}", data=row.body, headers=row.sent())
        return answer.status_code, time.monotonic() - began

    assert 202 == deliver()[0]
    connection.flushall()
    if how == "hangs":
        os.kill(broker.pid, signal.SIGSTOP)
    elif how == "is full":
        connection.config_set("maxmemory", "1mb")
    else:
        os.kill(broker.pid, signal.SIGKILL)
    try:
        # The best of three: a busy machine may hold up any one of them.
        answers = [deliver() for _ in range(3)]
    finally:
        if how == "hangs":
            os.kill(broker.pid, signal.SIGCONT)
        broker.stop()
        connection.close()
    assert {503} == {code for code, _ in answers}
    assert min(seconds for _, seconds in answers) < 1.0
