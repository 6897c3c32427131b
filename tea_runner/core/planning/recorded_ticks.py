"""Ticks of a branch: which schedules have ticked, and which ticks no results commit has yet.

The book is kept in git beside the branch.  A due tick is entered before anything runs for it, so that a
loss of everything else plans the same again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from tea_runner.core.pipeline import Cron, Pipeline, cron_leaves
from tea_runner.core.planning.input_trigger import InputState
from tea_runner.core.planning.tick_names import tick_name, tick_time
from tea_runner.core.spec.schedule import Schedule, ScheduleError, parse_schedule, parse_time

#: Names of a pipeline and of one of its inputs.
InputName = tuple[str, str]


@dataclass(frozen=True)
class ScheduleState:
    """What is known of one schedule."""

    #: Time up to which ticks were taken.
    since: str
    #: Ticks that no results commit has yet, in order.
    pending: tuple[str, ...] = ()


@dataclass(frozen=True)
class TickBook:
    """The schedules of the pipelines of a branch."""

    states: Mapping[InputName, ScheduleState] = field(default_factory=dict)
    #: Names of pipelines to the values of variables that a person has set, until results have them.
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Inputs with a trigger.
    inputs: Mapping[InputName, InputState] = field(default_factory=dict)
    #: Id of the commit that it was read from; None for a new book.
    at: str | None = field(default=None, compare=False)

    @property
    def pending(self) -> dict[InputName, tuple[str, ...]]:
        """The ticks that no results commit has yet."""
        return {name: state.pending for name, state in self.states.items() if state.pending}

    def with_due(
        self,
        pipelines: Iterable[Pipeline],
        known: Mapping[InputName, Iterable[str]],
        now: datetime,
        zone: tzinfo,
    ) -> TickBook:
        """The book with the ticks that are due; the same one when there are none.

        :param known: ticks that results commits have.
        :param zone: of schedules that name none.
        """
        states = dict(self.states)
        for name, schedule in schedules_of(pipelines):
            there = sorted(known.get(name, ()))
            state = states.get(name) or _first(schedule, there, now)
            states[name] = _with_due(schedule, state, there, now, zone)
        return self if states == self.states else replace(self, states=states)

    def with_tick(self, name: InputName, schedule: Cron, tick: str) -> TickBook:
        """The book with a tick that a person asked for; the schedule goes on as it would."""
        state = self.states.get(name) or ScheduleState(tick)
        pending = _merged(schedule, state.pending, [tick])
        return replace(self, states={**self.states, name: replace(state, pending=pending)})

    def with_variables(self, pipeline: str, given: Mapping[str, str]) -> TickBook:
        """The book with the values that a person has set; those of before count no more."""
        return replace(self, variables={**self.variables, pipeline: dict(given)})

    def without_variables(self, pipeline: str) -> TickBook:
        """The book without the values of a pipeline."""
        rest = {name: given for name, given in self.variables.items() if name != pipeline}
        return replace(self, variables=rest)

    def with_input(self, name: InputName, state: InputState) -> TickBook:
        """The book with the state of an input that has a trigger; the same one if it has that."""
        if self.inputs.get(name) == state:
            return self
        return replace(self, inputs={**self.inputs, name: state})

    def with_fired(self, pipeline: str) -> TickBook:
        """The book after a person started a pipeline: what its inputs have is taken."""
        book = self
        for name, state in self.inputs.items():
            if name[0] == pipeline and state.is_new:
                book = book.with_input(name, state.firing())
        return book

    def without_pending(self, pipeline: str) -> TickBook:
        """The book after the ticks of a pipeline were found to change nothing."""
        states = {
            name: replace(state, pending=()) if name[0] == pipeline else state
            for name, state in self.states.items()
        }
        return replace(self, states=states)

    def next_ticks(
        self, pipelines: Iterable[Pipeline], now: datetime, zone: tzinfo
    ) -> dict[InputName, datetime]:
        """When each schedule ticks next; without those that never do."""
        found = {}
        for name, schedule in schedules_of(pipelines):
            state = self.states.get(name) or _first(schedule, [], now)
            times = _parsed(schedule, zone).after(tick_time(state.since))
            moment = next(times, None)
            if moment is not None:
                found[name] = moment
        return found

    def to_text(self) -> str:
        """The book as JSON."""
        rows = [
            {"pipeline": p, "input": i, "since": state.since, "pending": list(state.pending)}
            for (p, i), state in sorted(self.states.items())
        ]
        document: dict[str, Any] = {"schedules": rows}
        if self.variables:
            document["variables"] = {
                name: dict(sorted(given.items())) for name, given in sorted(self.variables.items())
            }
        if self.inputs:
            document["inputs"] = [
                {"pipeline": p, "input": i, **asdict(state)}
                for (p, i), state in sorted(self.inputs.items())
            ]
        return json.dumps(document, indent=1) + "\n"


def parse_book(data: bytes) -> TickBook:
    """The book in a text.

    :raises ValueError: when it is none.
    """
    try:
        document = json.loads(data)
        rows: list[dict[str, Any]] = document["schedules"]
        states = {}
        for row in rows:
            times = [row["since"], *row["pending"]]
            for time in times:
                tick_time(time)
            name = (str(row["pipeline"]), str(row["input"]))
            states[name] = ScheduleState(times[0], tuple(times[1:]))
        variables = {
            str(pipeline): {str(name): str(value) for name, value in given.items()}
            for pipeline, given in document.get("variables", {}).items()
        }
        inputs = {
            (str(row.pop("pipeline")), str(row.pop("input"))): _input_state(row)
            for row in document.get("inputs", [])
        }
        return TickBook(states, variables, inputs)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is no book of ticks") from error


def _input_state(row: dict[str, Any]) -> InputState:
    commits, fired = int(row.pop("commits")), bool(row.pop("fired"))
    state = InputState(**{k: str(v) for k, v in row.items()}, commits=commits, fired=fired)
    for time in (state.seen_at, state.taken_at):
        tick_time(time)
    return state


def schedules_of(pipelines: Iterable[Pipeline]) -> Iterable[tuple[InputName, Cron]]:
    """The schedules of pipelines, with the names of pipeline and input."""
    for pipeline in pipelines:
        for schedule in cron_leaves(pipeline.input):
            yield (pipeline.name, schedule.name), schedule


def _first(schedule: Cron, known: list[str], now: datetime) -> ScheduleState:
    """The state of a schedule that the book does not have: of a new one, or of a lost book."""
    if known:
        return ScheduleState(known[-1])
    try:
        return ScheduleState(tick_name(parse_time(schedule.start)))
    except ScheduleError:
        return ScheduleState(tick_name(now))


def _with_due(
    schedule: Cron, state: ScheduleState, known: list[str], now: datetime, zone: tzinfo
) -> ScheduleState:
    due = _parsed(schedule, zone).due(
        tick_time(state.since), now, every=schedule.catch_up == "all" and not schedule.overwrite
    )
    if not due:
        return state
    published = set(known)
    left = [tick for tick in state.pending if tick not in published]
    ticks = [tick_name(moment) for moment in due]
    return ScheduleState(ticks[-1], _merged(schedule, left, ticks))


def _merged(schedule: Cron, pending: Iterable[str], ticks: Iterable[str]) -> tuple[str, ...]:
    some = sorted({*pending, *ticks})
    return tuple(some[-1:] if schedule.overwrite else some)


def _parsed(schedule: Cron, zone: tzinfo) -> Schedule:
    # Pipeline files were checked.
    return parse_schedule(schedule.spec, zone)
