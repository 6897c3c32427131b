"""Triggers of inputs: whether what has arrived since results were made starts a pipeline yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from tea_runner.core.pipeline import InputTrigger
from tea_runner.core.planning.tick_names import tick_name, tick_time
from tea_runner.core.spec.schedule import parse_schedule

#: Most commits that are counted at once: a count that reaches it is as good as a larger one.
MOST_COMMITS = 5_000


@dataclass(frozen=True, kw_only=True)
class PlanningTime:
    """The time at which a commit is planned, and the zone of schedules that name none."""

    now: datetime
    zone: tzinfo = UTC


@dataclass(frozen=True, kw_only=True)
class InputState:
    """What is known of one input that has a trigger."""

    #: What was there when it was looked at last: an id of the files, the commit, and since when.
    seen: str
    seen_commit: str
    seen_at: str
    #: What results were made of: empty for nothing yet; and when that was found.
    taken: str = ""
    taken_commit: str = ""
    taken_at: str
    #: Commits that changed it since then.
    commits: int = 0
    #: Whether the trigger has fired: what there is, is taken.
    fired: bool = False

    @property
    def is_new(self) -> bool:
        """Whether something is there that no results were made of."""
        return self.seen != self.taken

    def looked_at(self, seen: str, commit: str, commits: int, now: datetime) -> InputState:
        """The state after another look.

        :param commits: that changed it since the last look.
        """
        if seen == self.seen:
            return self
        return replace(
            self,
            seen=seen,
            seen_commit=commit,
            seen_at=tick_name(now),
            commits=min(self.commits + commits, MOST_COMMITS),
        )

    def firing(self) -> InputState:
        """The state after the trigger has fired."""
        return replace(self, fired=True)

    def taken_now(self, now: datetime) -> InputState:
        """The state after results were made of all that is there."""
        if not (self.is_new or self.fired):
            return self
        return replace(
            self,
            taken=self.seen,
            taken_commit=self.seen_commit,
            taken_at=tick_name(now),
            commits=0,
            fired=False,
        )


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Why a pipeline waits for more of an input."""

    #: What is lacking: ``3 more commits``, ``1.5M more``, ``02:00``.
    lacking: tuple[str, ...]
    #: Whether all of that is needed, or one of it.
    needs_all: bool = False
    #: Until when it has to stay as it is; empty where that is not asked for.
    quiet_until: str = ""
    #: When to look again although nothing changes.
    due: datetime | None = field(default=None, compare=False)

    @property
    def sentence(self) -> str:
        """``waits for 3 more commits, or 02:00``."""
        said = f"waits for {(', and ' if self.needs_all else ', or ').join(self.lacking)}"
        quiet = f"until {self.quiet_until} for more to come" if self.quiet_until else ""
        if not self.lacking:
            return f"waits {quiet}"
        return f"{said}; and {quiet}" if quiet else said


def wait_of(
    trigger: InputTrigger, state: InputState, new_bytes: int, time: PlanningTime
) -> Wait | None:
    """What an input waits for; None when it starts the pipeline, or has nothing new.

    :param new_bytes: of files that are new or different since results were made.
    """
    if state.fired or not state.is_new:
        return None
    found = [*_amounts(trigger, state, new_bytes), *_times(trigger, state, time)]
    lacking = [(text, due) for is_met, text, due in found if not is_met]
    met = not found or (not lacking if trigger.all else len(lacking) < len(found))
    quiet = tick_time(state.seen_at) + timedelta(seconds=trigger.debounce)
    noisy = bool(trigger.debounce) and quiet > time.now
    if met and not noisy:
        return None
    dues = [due for _, due in lacking if due is not None]
    due: datetime | None = None
    if met:
        due = quiet
    elif trigger.all:
        due = max(dues) if len(dues) == len(lacking) else None
    elif dues:
        due = min(dues)
    if due is not None and noisy:
        due = max(due, quiet)
    return Wait(
        lacking=() if met else tuple(text for text, _ in lacking),
        needs_all=trigger.all,
        quiet_until=_clock(quiet, time) if noisy else "",
        due=due,
    )


_Condition = tuple[bool, str, datetime | None]


def _amounts(trigger: InputTrigger, state: InputState, new_bytes: int) -> list[_Condition]:
    found: list[_Condition] = []
    if trigger.commits:
        more = trigger.commits - state.commits
        found.append((more <= 0, f"{more} more commit{'s' if more > 1 else ''}", None))
    if trigger.size:
        more = trigger.size - new_bytes
        found.append((more <= 0, f"{_bytes(more)} more", None))
    return found


def _times(trigger: InputTrigger, state: InputState, time: PlanningTime) -> list[_Condition]:
    found: list[_Condition] = []
    specs = [trigger.cron_spec] if trigger.cron_spec else []
    if trigger.rate_limit_spec and not state.taken:
        found.append((True, "", None))
    elif trigger.rate_limit_spec:
        specs.append(trigger.rate_limit_spec)
    for spec in specs:
        # Pipeline files were checked.
        moment = next(parse_schedule(spec, time.zone).after(tick_time(state.taken_at)), None)
        text = _clock(moment, time) if moment is not None else "a time that never comes"
        found.append((moment is not None and moment <= time.now, text, moment))
    return found


def _clock(moment: datetime, time: PlanningTime) -> str:
    """``02:00``, or with the day where that is not within a day."""
    local = moment.astimezone(time.zone)
    near = moment - time.now < timedelta(days=1)
    seconds = ":%S" if local.second else ""
    return local.strftime(("%H:%M" if near else "%Y-%m-%d %H:%M") + seconds)


def _bytes(number: int) -> str:
    for letter, unit in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= unit:
            return f"{number / unit:.1f}{letter}"
    return f"{number} bytes"
