"""How many hosts run, by the queue: never one too many, and none is stopped with a job."""

from __future__ import annotations

from dataclasses import replace

from tea_runner.core.planning.scale_decision import ScaledHost, ScaleLimits, decide_scale

_LIMITS = ScaleLimits(maximum=4, jobs_per_host=2, idle=60, boot=100, drain=15)
_UP = ScaledHost(name="a", started=0.0, heard=1000.0, busy=1000.0)


def test_there_are_as_many_hosts_as_the_jobs_need() -> None:
    """Within the limits; those that start count already."""
    assert 0 == decide_scale([], 0, _LIMITS, 1000.0).start
    assert 3 == decide_scale([], 5, _LIMITS, 1000.0).start
    assert 4 == decide_scale([], 500, _LIMITS, 1000.0).start
    assert 2 == decide_scale([], 0, replace(_LIMITS, minimum=2), 1000.0).start
    starting = ScaledHost(name="b", started=990.0)
    assert 1 == decide_scale([_UP, starting], 5, _LIMITS, 1000.0).start


def test_an_idle_host_is_drained_and_then_stopped() -> None:
    """And comes back when jobs arrive meanwhile."""
    idle = replace(_UP, heard=1070.0)
    assert ("a",) == decide_scale([idle], 0, _LIMITS, 1070.0).drain
    drained = replace(idle, draining=1070.0)
    assert () == decide_scale([drained], 0, _LIMITS, 1080.0).stop
    assert ("a",) == decide_scale([drained], 0, _LIMITS, 1085.0).stop
    again = decide_scale([drained], 1, _LIMITS, 1080.0)
    assert (("a",), 0, ()) == (again.resume, again.start, again.stop)


def test_a_host_with_a_job_is_never_stopped() -> None:
    """Not while it drains, and not when nothing was heard of it."""
    working = replace(_UP, jobs=1, draining=1.0, heard=1.0, busy=1.0)
    assert () == decide_scale([working], 0, _LIMITS, 5000.0).stop


def test_a_host_that_never_comes_up_is_stopped() -> None:
    """After the time that it has to start."""
    starting = ScaledHost(name="a", started=900.0)
    assert () == decide_scale([starting], 1, _LIMITS, 999.0).stop
    assert ("a",) == decide_scale([starting], 1, _LIMITS, 1000.0).stop
