"""What a round of the reconciler costs the forge, and what it does when the forge is in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.redis_server import RedisServer
from tea_runner.wiring import Site
from tests.clone import Clone
from tests.faulty_forge import Fault, Faults, FaultyForge
from tests.looking import broker, make_site, plan_to_end
from workers.reconciler import Reconciler

__all__ = ["broker"]

NAMES = ("bees", "cows", "dogs")


class Counting(Faults):
    """No faults, or one for each request of git; records the requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bad: Fault | None = None

    def response(self, method: str, path: str) -> Fault | None:
        """Keep the question."""
        self.asked.append(f"{method} {path.partition('?')[0]}")
        return self.bad if "/git-upload-pack" in path else None


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[FaultyForge]:
    """Three repositories with a commit each."""
    with FaultyForge(tmp_path / "forge", faults=Counting()) as running:
        running.add_user("lab", "secret")
        running.add_user("bot", "another secret", admin=True)
        for name in NAMES:
            running.create_repository("lab", name)
            clone = Clone(tmp_path / name, running.push_url(f"lab/{name}", "lab", "secret"))
            clone.commit(name)
            clone.push()
        yield running


@pytest.fixture
def site(broker: RedisServer, forge: FaultyForge, tmp_path: Path) -> Iterator[Site]:
    """A server that watches them; all tips are planned."""
    token = tmp_path / "token"
    token.write_text(forge.add_token("bot"))
    made = make_site(
        broker,
        tmp_path,
        forge__url=forge.url,
        forge__kind="gitea",
        forge__user="bot",
        forge__token_file=str(token),
        repositories=",".join(f"lab/{name}" for name in NAMES),
    )
    made.redis.flushall()
    for name in NAMES:
        tip = made.forge.branches(f"lab/{name}")["main"]
        plan_to_end(made, f"lab/{name}", tip)
    yield made
    made.redis.close()


def test_an_idle_round_is_one_request_for_each_repository(forge: FaultyForge, site: Site) -> None:
    """Nothing has moved, nothing is mended, and nobody was asked twice."""
    reconciler = Reconciler(site)
    assert [] == reconciler.round()
    faults = forge.faults
    assert isinstance(faults, Counting)
    faults.asked.clear()

    assert [] == reconciler.round()
    assert [f"POST /lab/{name}.git/git-upload-pack" for name in NAMES] == sorted(faults.asked)


@pytest.mark.long
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(keep=30)])
def test_a_forge_in_trouble_has_no_branch_deleted(
    forge: FaultyForge, site: Site, fault: Fault
) -> None:
    """What was planned stays known; the next round with a whole answer finds nothing to do."""
    faults = forge.faults
    assert isinstance(faults, Counting)
    reconciler = Reconciler(site)
    faults.bad = fault
    assert [] == reconciler.round()
    faults.bad = None
    assert len(NAMES) == sum(
        bool(site.plan_requests.planned(f"lab/{name}", "main")) for name in NAMES
    )
    assert [] == reconciler.round()


def test_repairs_are_kept_for_the_page_of_workers(forge: FaultyForge, site: Site) -> None:
    """What a round finds is there afterwards, with its time."""
    site.redis.delete(redis_keys.planned(f"lab/{NAMES[0]}"))
    found = Reconciler(site).round()
    assert [f"planned lab/{NAMES[0]} main"] == [line.partition(":")[0] for line in found]
    assert found == [each.text for each in site.repair_log.latest()]
    assert 0 < site.repair_log.latest()[0].time
