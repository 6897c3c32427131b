"""Processor time and memory of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.planning.datum_measures import (
    DatumMeasures,
    format_measures,
    parse_measures,
)
from tea_runner.sandbox.execution_environment import Limits
from tests.sandbox.conftest import Bench, _host, _off

WORK = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
HOLD = "x=$(head -c 50000000 /dev/zero | tr '\\0' a); sleep 0.5"


@pytest.fixture(params=[_host, _off])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """The sandbox, and none."""
    made: Bench = request.param()
    made.base = tmp_path
    for folder in (made.view, made.out, made.code):
        folder.mkdir()
        folder.chmod(0o777)
    return made


@pytest.mark.parametrize("limits", [Limits(), Limits(memory=1 << 30)])
def test_processor_time_is_that_of_all_processes(bench: Bench, limits: Limits) -> None:
    """Also of children that have ended; a command that waits uses none."""
    busy = bench.shell(f"({WORK})", limits=limits)
    idle = bench.shell("sleep 0.3", limits=limits)
    assert busy.cpu is not None
    assert idle.cpu is not None
    assert 0.1 < busy.cpu
    assert idle.cpu < 0.1 < idle.seconds


def test_memory_is_the_most_that_was_used(bench: Bench) -> None:
    """Of 50 MB that a command held; the next command in the same place begins at nothing."""
    limits = Limits(memory=1 << 30)
    large = bench.shell(HOLD, limits=limits)
    small = bench.shell("sleep 0.3", limits=limits)
    assert large.memory is not None
    assert small.memory is not None
    assert 40_000_000 < large.memory < 400_000_000
    assert small.memory < 20_000_000


def test_measures_are_read_back_and_nothing_else_is() -> None:
    """Text of somebody else in Redis is no measure."""
    rows = [DatumMeasures("k", 1.5, 0.2, 100, 5, 6), DatumMeasures("l")]
    assert rows == parse_measures(format_measures(rows))
    for text in ("", "{}", "[[1]]", "[" * 9999, '[["k",1,2,3,4,"x"]]', '[["k",-1,2,3,4,5]]'):
        assert [] == parse_measures(text)
