"""Malformed items of the queues: the handlers drop them with a line in the log, and go on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tea_runner.wiring import Site
from tests.hostile.forge import HostileForge
from tests.hostile.forge import edges_forge as forge
from tests.looking import broker, site

__all__ = ["broker", "forge", "site"]


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "NaN",
        "null",
        "7",
        '"ab"',
        '["a", "b"',
        "[" * 100_000,
        "9" * 5000,
        '["lab/edges"]',
        '["lab/edges", "main", "x"]',
        '["lab/edges", 7]',
        '[7, "main"]',
        '{"lab/edges": "main", "x": "y"}',
        '["../edges", "main"]',
        '["lab/edges\\n", "main"]',
        '["lab/edges", "a\\nb"]',
        '["lab/edges", "\\ud800"]',
        '["lab/edges", "-x"]',
        '["lab/edges", "../../x"]',
        '["lab/edges", ""]',
        '["/", "/"]',
    ],
    ids=lambda argument: repr(argument[:30]),
)
def test_a_malformed_plan_is_dropped_with_a_line(
    forge: HostileForge, argument: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The planner's handler raises nothing, and a line says what it dropped."""
    caplog.set_level(logging.WARNING)
    forge.site.redis.flushall()
    forge.planner(argument)
    assert [record.levelname for record in caplog.records]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"[1,2,3,4]",
        b'[["plan"],null,["x"],{}]',
        b'["plan",null,[{}],{}]',
        b'["plan",null,"x",{}]',
        b'["plan",null,["x","y"],{}]',
        b'["os.system",null,["true"],{}]',
        b"[" * 100_000,
        b"\x80\x04K\x01.",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_foreign_item_calls_nothing(
    site: Site, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The consumer drops an item that is not ours with one line, without a traceback, and goes on."""
    seen: list[str] = []
    site.queues.enqueue("plan", "first")
    listed: Any = site.redis.lrange("rq:queue:tea-plan", 0, -1)
    site.redis.hset(b"rq:job:" + listed[0], "data", data)
    site.queues.enqueue("plan", "second")
    caplog.set_level(logging.WARNING)
    site.consumer("plan", seen.append, name="foreign").run(burst=True)
    assert ["second"] == seen
    ours = [record for record in caplog.records if record.name.startswith("tea_runner")]
    assert ours
    assert [] == [record for record in ours if record.exc_info]
