"""Clocks of schedules, by the settings: where ticks come, and in which time zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from tea_runner.core.errors import SettingsError
from tea_runner.core.git.branch_kinds import is_pull_request_branch, matches_any
from tea_runner.core.spec.schedule import ScheduleClock, ScheduleError, time_zone

if TYPE_CHECKING:
    from tea_runner.wiring.datasets import DatasetSite


def clock_of_branch(site: DatasetSite, repository: str, branch: str) -> ScheduleClock:
    """The clock of a branch on a forge, which is asked at its first use.

    :raises SettingsError: when there is no such time zone.
    """

    def now() -> datetime | None:
        return datetime.now(UTC) if _ticks(site, repository, branch) else None

    return ScheduleClock(now=now, zone=settings_zone(site), present=_present)


def clock_of_clone(site: DatasetSite, *, ticks: bool = True) -> ScheduleClock:
    """The clock of a person's clone: it ticks on every branch.

    :param ticks: whether schedules tick; triggers of inputs have the time in any case.
    :raises SettingsError: when there is no such time zone.
    """
    now = _present if ticks else _never
    return ScheduleClock(now=now, zone=settings_zone(site), present=_present)


def _present() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _never() -> None:
    return None


def settings_zone(site: DatasetSite) -> tzinfo:
    """The time zone of schedules that name none.

    :raises SettingsError: when there is none of that name.
    """
    try:
        return time_zone(site.settings.schedules.time_zone)
    except ScheduleError as error:
        raise SettingsError(f"schedules.time_zone: {error}") from error


def _ticks(site: DatasetSite, repository: str, branch: str) -> bool:
    """Whether schedules tick on a branch.

    :raises ForgeError: when the forge does not say which branch is the default one.
    """
    if is_pull_request_branch(branch):
        return False
    patterns = site.settings.schedules.branches
    if patterns:
        return matches_any(branch, patterns)
    return branch == site.forge_facts.branch_protection(repository, branch).default
