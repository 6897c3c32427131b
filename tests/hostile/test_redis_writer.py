"""Somebody who can write to Redis, or has the receiver's user of it, requests plans and jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.rq_consumer import QueueConsumer
from tests.hostile.forge import HostileForge
from tests.hostile.unchanged import TOLD, redis_of


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server that processes one repository and some of its branches."""
    made = HostileForge(tmp_path, top='branches = ["main", "feature/*"]')
    file = tmp_path / "host" / "tea-runner.toml"
    file.write_text(file.read_text().replace('["lab/*"]', '["lab/mine"]'))
    made.again()
    made.make("mine", {})
    made.make("other", {})
    yield made
    made.close()


def _request(forge: HostileForge, repository: str, branch: str) -> None:
    """As the receiver does, by itself and past all its checks."""
    site = forge.site
    site.plan_requests.request_plan(repository, f"refs/heads/{branch}", why="push")
    site.queues.enqueue("plan", json.dumps([repository, branch]))
    QueueConsumer(site.redis, "plan", forge.planner, name="planner-test").run(burst=True)


@pytest.mark.parametrize(
    ("repository", "branch"),
    [
        ("lab/other", "main"),
        ("LAB/mine", "main"),
        ("lab/mine/../other", "main"),
        ("lab/mine", "private"),
        ("lab/mine", "git-annex"),
        ("lab/mine", "pull/1"),
    ],
)
def test_a_request_in_redis_is_no_permission(
    forge: HostileForge, repository: str, branch: str
) -> None:
    """The planner asks the settings itself: nothing is planned, published or left over."""
    for name in ("private", "pull/1"):
        forge.git("mine", "update-ref", f"refs/heads/{name}", "refs/heads/main")
    before = {name: forge.tips(name) for name in ("mine", "other")}

    _request(forge, repository, branch)

    assert before == {name: forge.tips(name) for name in ("mine", "other")}
    assert [] == list(forge.site.jobs.waiting())
    # One whose name no repository has is dropped, and stays noted.
    assert ".." in repository or redis_keys.plan_requests() not in redis_of(forge, *TOLD)


def test_listed_repositories_and_branches_are_planned(forge: HostileForge) -> None:
    """The same request for what the settings list leads to a job."""
    forge.git("mine", "update-ref", "refs/heads/feature/x", "refs/heads/main")
    _request(forge, "lab/mine", "feature/x")

    assert 1 == len(forge.site.jobs.waiting())


def test_a_worker_asks_its_own_settings(forge: HostileForge, tmp_path: Path) -> None:
    """A job of a repository that this host excludes fails with the setting's name, and runs nothing."""
    forge.planner.plan("lab/mine", "main")
    (job,) = forge.site.jobs.waiting()
    file = tmp_path / "host" / "tea-runner.toml"
    file.write_text(file.read_text().replace('["lab/mine"]', '["lab/other"]'))
    forge.again()

    forge.worker(job)

    assert "failed" == forge.site.jobs.get(job)["state"]
    assert "exclude lab/mine" in forge.site.jobs.get(job)["error"]
    assert [] == [ref for ref in forge.tips("mine") if ref.startswith("refs/tea/")]
