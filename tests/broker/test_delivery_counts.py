"""Counts of deliveries: together, a moment later, and none lost by a Redis that is away."""

from __future__ import annotations

import time

from fakeredis import FakeRedis, FakeServer

from tea_runner.broker import redis_keys
from tea_runner.broker.delivery_counts import DeliveryCounts


def test_counts_of_two_processes_add_up() -> None:
    """Each sends what it has counted, and either tells the sum."""
    server = FakeServer()
    one, two = (DeliveryCounts(FakeRedis(server=server), delay=3600) for _ in range(2))
    for tally in (one, two, two):
        tally.count("accepted")
    one.count("refused")
    two.send()
    assert {"accepted": 3, "refused": 1} == one.counts()


def test_what_redis_did_not_take_is_sent_with_the_next() -> None:
    """A Redis that is away costs a delivery nothing, and the tally no count."""
    server = FakeServer()
    tally = DeliveryCounts(FakeRedis(server=server), delay=3600)
    server.connected = False
    tally.count("failed")
    assert {} == tally.counts()
    server.connected = True
    tally.count("accepted")
    assert {"accepted": 1, "failed": 1} == tally.counts()


def test_a_count_is_sent_by_itself() -> None:
    """Nobody has to ask for it."""
    connection = FakeRedis()
    tally = DeliveryCounts(connection, delay=0.001)
    tally.count("accepted")
    until = time.monotonic() + 10
    while connection.hget(redis_keys.delivery_counts(), "accepted") != b"1":
        assert time.monotonic() < until, "it was not sent"
        time.sleep(0.001)
