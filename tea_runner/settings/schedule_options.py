"""Settings of schedules: where the ticks of ``input.cron`` come, and in which time zone."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """Schedules of pipelines (input.cron)."""

    branches: tuple[str, ...] = option(
        (),
        "Patterns of branches on which schedules tick; empty for the default branch of each repository. "
        "Branches of pull requests have no ticks of their own.",
    )
    time_zone: str = option(
        "UTC",
        "Time zone of schedules that name none, such as Europe/Berlin. Ticks are named in UTC.",
    )
