"""The files below deploy/: that they do what they say on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_queues import ListedJob, Serializer
from tea_runner.core.planning.cancel_retry_recompute import RunAction
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge
from tests.planner_at_work import planner_at_work
from tests.web.browser import make_client
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker

DEPLOY = Path(__file__).parents[1] / "deploy"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server whose Redis has the users of deploy/redis/users.acl, with passwords."""
    made = HostileForge(tmp_path)
    admin = redis.Redis.from_url(made.broker.url)
    if int(str(admin.info("server")["redis_version"]).split(".")[0]) < 7:
        pytest.skip("needs Redis 7")
    for line in (DEPLOY / "redis" / "users.acl").read_text().splitlines():
        _, name, *rules = line.split(" ")
        if name != "default":
            admin.execute_command("ACL", "SETUSER", name, *rules, ">secret-of-" + name)
    admin.close()
    yield made
    made.close()


def site(forge: HostileForge, user: str) -> Site:
    """The parts of a process that is this user of Redis."""
    file = forge.root / "host" / f"{user}.toml"
    address = f"unix://{user}@{forge.broker.socket}?password=secret-of-{user}"
    text = (forge.root / "host" / "tea-runner.toml").read_text()
    file.write_text(text.replace(forge.broker.url, address))
    return Site(load_settings(file=file, env={}, flags={}), forge.env)


def test_each_process_can_do_its_work_as_its_user(forge: HostileForge) -> None:
    """Announced by the receiver's user, planned and done by the others': settled."""
    forge.make("mine", {})
    receiver = site(forge, "tea-receiver")
    receiver.plan_requests.request_plan("lab/mine", "refs/heads/main", why="test")
    assert 1 == receiver.queues.length("plan")
    forge.planner.close()
    forge.worker.close()
    forge.planner = BranchPlanner(site(forge, "tea-planner"))
    forge.worker = JobWorker(site(forge, "tea-worker"), "worker-acl")
    assert "settled" == forge.meet("mine").state


def test_the_receiver_puts_what_a_person_orders_before_all_plans(forge: HostileForge) -> None:
    """With the rights of its user."""
    receiver = site(forge, "tea-receiver")
    receiver.plan_requests.request_plan("lab/mine", "refs/heads/main", why="test")
    action = RunAction(
        kind="cancel",
        repository="lab/mine",
        run="1" * 12,
        by="ada",
        until=time.time() + 30,
        nonce="x",
    )
    receiver.questions.ask(action)
    first: Any = receiver.redis.lindex("rq:queue:tea-plan", 0)
    named = ListedJob.fetch(first.decode(), connection=receiver.redis, serializer=Serializer)
    assert action.id in str(named.argument())


@pytest.mark.parametrize("user", ["tea-receiver", "tea-planner", "tea-worker"])
def test_no_user_can_change_the_server(forge: HostileForge, user: str) -> None:
    """Configuration, other keys, the list of all keys, modules, replication: refused."""
    connection = site(forge, user).redis
    for command in (
        ("CONFIG", "SET", "dir", "/tmp"),
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("MODULE", "LIST"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("SHUTDOWN",),
        ("SAVE",),
        ("ACL", "LIST"),
        ("SET", "other", "x"),
        ("GET", "other"),
        ("MONITOR",),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command)


def test_the_receiver_makes_no_jobs(forge: HostileForge) -> None:
    """It announces and reads; it runs no script and writes no job."""
    connection = site(forge, "tea-receiver").redis
    for command in (
        ("HSET", redis_keys.job("x"), "state", "waiting"),
        ("EVAL", "return 1", "0"),
        ("SCRIPT", "LOAD", "return 1"),
        ("RPUSH", "rq:queue:tea-job", "x"),
        ("DEL", redis_keys.job("x")),
        ("SET", redis_keys.plan_lock("lab/mine\nmain"), "mine"),
        ("DEL", redis_keys.plan_lock("lab/mine\nmain")),
        ("HSET", redis_keys.planned("lab/mine"), "main", "0" * 40),
        ("HDEL", redis_keys.planned("lab/mine"), "main"),
        ("SET", "tea:plan:other", "x"),
        ("HSET", "tea:hooks", "x", "y"),
        ("HSET", "rq:job:0123456789abcdef", "data", "x"),
        ("DEL", "rq:job:job-0123456789abcdef"),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command)


def test_buttons_and_pages_work_as_the_receivers_user(forge: HostileForge) -> None:
    """Each button is pressed, a planner does it, and the page says who pressed it; each page is shown."""
    year = {"name": "year", "default": "2026"}
    forge.make("mine", {"files": {"up/spec.yml": spec("up", "exit 3", vars=[year])}})
    forge.meet("mine")
    client = make_client(site(forge, "tea-receiver"))
    (run,) = forge.site.runs.latest(1)
    (job,) = (forge.site.runs.get(run.id) or run).pipelines[0].jobs
    forge.planner.close()
    forge.planner = BranchPlanner(site(forge, "tea-planner"))
    with planner_at_work(forge.site, forge.planner):
        for path, form in (
            (f"/runs/{run.id}/retry", {}),
            (f"/jobs/{job}/retry", {}),
            (f"/runs/{run.id}/recompute", {}),
            (f"/runs/{run.id}/recompute", {"pipeline": "1"}),
            (f"/runs/{run.id}/cancel", {}),
            (f"/jobs/{job}/cancel", {}),
            (f"/runs/{run.id}/trigger", {"pipeline": "1", "var-year": "2025"}),
            ("/repos/lab/mine/pause", {}),
            ("/repos/lab/mine/resume", {}),
        ):
            asked = client.get(path, query_string=form)
            assert "It is noted that the operator requested it." in asked.text, (path, form)
            answer = client.post(path, data=form)
            assert 303 == answer.status_code, (path, form, answer.text)
        latest = forge.site.runs.latest(1)[0]
        assert "the operator" == latest.requested_by
        assert "the operator" in client.get(f"/runs/{latest.id}").text
    pages = ("/", "/workers", "/repos/lab/mine", "/api", "/events", "/index.json")
    for path in (*pages, f"/runs/{run.id}", f"/jobs/{job}"):
        assert 200 == client.get(path).status_code, path


def test_the_receiver_counts_deliveries(forge: HostileForge) -> None:
    """Its own counts are the only other thing that it writes."""
    counts = site(forge, "tea-receiver").delivery_counts
    counts.count("refused")
    assert {"refused": 1} == counts.counts()


def test_the_server_starts_with_the_shipped_configuration(tmp_path: Path) -> None:
    """redis.conf is accepted; nothing is evicted, and no port is open."""
    broker = RedisServer(tmp_path, {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    text = (DEPLOY / "redis" / "redis.conf").read_text()
    words = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name and not name.startswith("#"):
            words[name] = value
    assert ("noeviction", "0", "yes") == (
        words["maxmemory-policy"],
        words["port"],
        words["protected-mode"],
    )
    broker.start()
    connection = redis.Redis.from_url(broker.url)
    known = {str(name) for name in connection.config_get("*")}
    assert set() == {name for name in words if name not in known}
    connection.close()
    broker.stop()


def test_units_name_verbs_that_there_are() -> None:
    """Each unit starts a verb of the command line, without rights."""
    from tea_runner.cli.verbs import VERBS

    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        text = path.read_text()
        verb = text.split("bin/tea-runner ")[1].split()[0]
        assert verb in VERBS, path.name
        for line in ("NoNewPrivileges=true", "CapabilityBoundingSet=", "ProtectSystem=strict"):
            assert line in text.splitlines(), path.name
