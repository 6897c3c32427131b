"""How many hosts to start and which to stop, by the length of the queue; as Woodpecker's autoscaler does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleLimits:
    """The operator's limits; times are in seconds."""

    #: Hosts that always run, and the most that do.
    minimum: int = 0
    maximum: int = 1
    #: Jobs for which one host is enough.
    jobs_per_host: int = 1
    #: For how long a host has had no job when it is stopped.
    idle: float = 600.0
    #: For how long a host may start; after that it is stopped.
    boot: float = 600.0
    #: For how long a host takes no jobs before it is stopped, so that none begins meanwhile.
    drain: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledHost:
    """One host that was started; times are in seconds since 1970."""

    name: str
    started: float
    #: When one of its workers was last heard of, and when a job last ran there; 0 for never.
    heard: float = 0.0
    busy: float = 0.0
    #: When it was told to take no more jobs; 0 for not yet.
    draining: float = 0.0
    #: Jobs that run there now.
    jobs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleDecision:
    """What to do now."""

    #: How many hosts to start.
    start: int = 0
    #: Names of hosts that take no more jobs from now on, or take them again, or are stopped now.
    drain: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()


def decide_scale(
    hosts: Sequence[ScaledHost], waiting: int, limits: ScaleLimits, now: float
) -> ScaleDecision:
    """What to do about the hosts.

    A host with a job is never stopped.  One that had none for a while is drained first, and stopped when it
    has had none since.

    :param waiting: jobs that wait and that these hosts can do.
    """
    jobs = waiting + sum(host.jobs for host in hosts)
    wanted = min(limits.maximum, max(limits.minimum, math.ceil(jobs / limits.jobs_per_host)))
    lost = [host for host in hosts if _is_lost(host, limits, now)]
    draining = [host for host in hosts if host.draining and host not in lost]
    live = [host for host in hosts if not host.draining and host not in lost]
    missing = wanted - len(live)
    # A host that is there already is the quickest.
    resume = [host.name for host in draining][: max(0, missing)]
    stop = [
        host.name
        for host in draining
        if host.name not in resume
        and not host.jobs
        and now - max(host.draining, host.busy) >= limits.drain
    ]
    idle = sorted(
        (host for host in live if _is_idle(host, limits, now)), key=lambda host: host.busy
    )
    return ScaleDecision(
        # Draining and lost hosts run until they are stopped, and count for the maximum.
        start=max(0, min(missing - len(resume), limits.maximum - len(hosts))),
        drain=tuple(host.name for host in idle[: max(0, len(live) - wanted)]),
        resume=tuple(resume),
        stop=(*stop, *(host.name for host in lost)),
    )


def _is_idle(host: ScaledHost, limits: ScaleLimits, now: float) -> bool:
    """Whether it has had no job for long enough; one that starts is not idle yet."""
    return not host.jobs and bool(host.heard) and now - max(host.busy, host.started) >= limits.idle


def _is_lost(host: ScaledHost, limits: ScaleLimits, now: float) -> bool:
    """Whether none of its workers has been heard of for as long as a host may start."""
    return not host.jobs and now - max(host.heard, host.started) >= limits.boot
