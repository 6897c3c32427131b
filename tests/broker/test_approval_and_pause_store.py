"""Orders in Redis and their copy: what is lost in one comes back from the other."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.approval_and_pause_store import OrderStore
from tea_runner.core.errors import Refused
from tea_runner.core.planning.approval_or_pause import Order, seal_order
from tea_runner.wiring import Site

PAUSE = Order(kind="pause", repository="lab/data", by="ada", at=time.time() - 200)
RESUME = Order(kind="resume", repository="lab/data", by="bob", at=time.time() - 100)


def store(site: Site, folder: Path, secret: bytes = b"secret", problem: str = "") -> OrderStore:
    """One of a process with this state folder."""
    copy = folder / "orders.json"
    return OrderStore(site.redis, secret=secret, copy=copy, key_problem=lambda: problem)


def test_what_redis_lost_comes_back(site: Site, tmp_path: Path) -> None:
    """Also in another process, and what is newer in Redis stays."""
    store(site, tmp_path).put(PAUSE)
    assert [PAUSE] == store(site, tmp_path).restore()
    site.redis.flushall()
    assert [PAUSE] == store(site, tmp_path).restore() == store(site, tmp_path).all()

    store(site, tmp_path).put(RESUME)
    assert [RESUME] == store(site, tmp_path).restore()
    site.redis.flushall()
    assert [RESUME] == store(site, tmp_path).restore()


def test_an_older_redis_is_brought_forward(site: Site, tmp_path: Path) -> None:
    """Restored from a backup, say."""
    own = store(site, tmp_path)
    own.put(RESUME)
    own.restore()
    site.redis.hset(redis_keys.orders(), PAUSE.subject, seal_order(PAUSE, b"secret"))
    assert [RESUME] == own.restore() == own.all()


def test_what_nobody_sealed_is_no_order(site: Site, tmp_path: Path) -> None:
    """Whoever may write to Redis pauses and approves nothing."""
    site.redis.hset(redis_keys.orders(), "x", seal_order(PAUSE, b"another"))
    site.redis.hset(redis_keys.orders(), "y", b"\xff{")
    assert [] == store(site, tmp_path).restore() == store(site, tmp_path).all()


def test_a_copy_that_cannot_be_read_or_written_stops_nothing(site: Site, tmp_path: Path) -> None:
    """Redis has the orders still."""
    (tmp_path / "orders.json").write_text("[[[")
    own = store(site, tmp_path)
    own.put(PAUSE)
    assert [PAUSE] == own.restore()
    assert [PAUSE] == store(site, tmp_path / "absent").restore()


def test_an_order_that_planners_would_not_accept_is_refused(site: Site, tmp_path: Path) -> None:
    """Instead of being without effect."""
    with pytest.raises(Refused):
        store(site, tmp_path, problem="another key").put(PAUSE)
    assert [] == store(site, tmp_path).all()
