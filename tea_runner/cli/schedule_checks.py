"""Checks of the clock: the time zone of schedules, processes that have them tick, ticks that are overdue."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tea_runner.cli.installation_checks import Finding
from tea_runner.core.errors import TeaError
from tea_runner.present.human_units import duration, instant
from tea_runner.wiring import Site
from tea_runner.wiring.schedule_clocks import settings_zone

_NAME = "schedules"
#: Rounds of a reconciler after which a tick is overdue: it asks for a plan in each.
_ROUNDS = 3
#: Branches that are named.
_MOST = 5
_LACKING = (
    ("plan", "no planner runs, so nothing ticks; start one with: tea-runner planner"),
    ("reconcile", "no reconciler runs, so nothing ticks; start one with: tea-runner reconcile"),
)


def check_clock(site: Site) -> Iterator[Finding]:
    """Findings about schedules, and triggers of inputs that wait for a time."""
    try:
        zone = settings_zone(site)
        times = site.schedule_times.listed()
        running = {each.kind for each in site.processes.all()}
    except TeaError as error:
        yield Finding(_NAME, "error", error.message)
        return
    lacking = [text for kind, text in _LACKING if times and kind not in running]
    yield from (Finding(_NAME, "warning", text) for text in lacking)
    now = time.time()
    patience = _ROUNDS * site.settings.reconcile.every
    overdue = [(name, moment) for name, moment in times if moment < now - patience]
    for (repository, branch), moment in overdue[:_MOST]:
        text = (
            f"{repository} {branch} is overdue for {duration(now - moment)}; look at its plan with: "
            f"tea-runner runs {repository}"
        )
        yield Finding(_NAME, "warning", text)
    if lacking or overdue:
        return
    following = "none"
    if times:
        (repository, branch), moment = times[0]
        following = f"next tick: {repository} {branch} {instant(moment)}"
    yield Finding(_NAME, "ok", f"{following}; times are in {zone}")
