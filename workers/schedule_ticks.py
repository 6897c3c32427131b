"""Ticks of schedules on a server: when a branch is to be planned for one."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tea_runner.core.pipeline import Pipeline, cron_leaves
from tea_runner.core.planning.tick_book import TickBook
from tea_runner.wiring import Site

#: Why a branch is planned, as its run says.
WHY = "schedule"


def note_next_tick(
    site: Site, repository: str, branch: str, pipelines: Iterable[Pipeline], book: TickBook
) -> None:
    """Note when the branch is to be planned for its next tick.

    :raises QueueError: when Redis does not answer.
    :raises TeaError: when the forge does not say which branch is the default one.
    """
    moment = None
    scheduled = [each for each in pipelines if cron_leaves(each.input)]
    clock = site.clock(repository, branch)
    now = clock.now() if scheduled else None
    if now is not None:
        moment = min(book.next_ticks(scheduled, now, clock.zone).values(), default=None)
    seconds = moment.timestamp() if moment else None
    if seconds is not None and now is not None and seconds <= now.timestamp():
        # Its pipeline runs, and the end of its jobs has the branch planned.
        seconds = now.timestamp() + site.settings.reconcile.every
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
