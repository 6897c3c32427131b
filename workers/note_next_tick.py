"""Ticks of schedules on a server: when a branch is to be planned for one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from tea_runner.core.pipeline import Pipeline, cron_leaves
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.flow.input_triggers import PipelineTriggers
from tea_runner.wiring import Site

#: Why a branch is planned, as its run says.
WHY = "schedule"


def note_next_tick(
    site: Site,
    repository: str,
    branch: str,
    pipelines: Iterable[Pipeline],
    book: TickBook,
    triggers: Iterable[PipelineTriggers] = (),
) -> None:
    """Note when the branch is to be planned for its next tick, or for a trigger of an input.

    :raises QueueError: when Redis does not answer.
    :raises TeaError: when the forge does not say which branch is the default one.
    """
    moments = [each.due for each in triggers if each.due is not None]
    scheduled = [each for each in pipelines if cron_leaves(each.input)]
    clock = site.clock(repository, branch)
    if scheduled and clock.now() is not None:
        moments += book.next_ticks(scheduled, datetime.now(UTC), clock.zone).values()
    seconds = min(moments).timestamp() if moments else None
    if seconds is not None and seconds <= time.time():
        # Its pipeline runs, and the end of its jobs has the branch planned.
        seconds = time.time() + site.settings.reconcile.every
    site.schedule_times.put(repository, branch, seconds)


def request_due_plans(site: Site) -> list[str]:
    """Request plans of branches with a tick that is due; returns a line for each.

    :raises QueueError: when Redis does not answer.
    """
    lines = []
    now = time.time()
    for repository, branch in site.schedule_times.due(now):
        # A plan notes the next tick; until one succeeds it is asked for as often as after a lost push.
        site.schedule_times.put(repository, branch, now + site.settings.reconcile.every)
        site.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=WHY)
        lines.append(f"planned {repository} {branch}: its schedule has ticked")
    return lines
