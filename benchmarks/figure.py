"""Seconds in, one row of the report out: medians, spreads, and which goal they are held against."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Figure:
    """What one contender needed for one piece of work."""

    work: str
    who: str
    #: ``s`` or ``ms``, ``ms/datum``, ``/s``, ``kB``.
    unit: str = "s"
    values: list[float] = field(default_factory=list)
    #: At most (or, for rates, at least) so much.
    goal: float | None = None
    #: What has to be known to read the number, such as "20 datums, per datum".
    note: str = ""
    #: The machine's load when each value was taken, whoever caused it.
    loads: list[float] = field(default_factory=list)

    @property
    def load(self) -> str:
        """The middle load, or nothing where none was kept."""
        return f"{statistics.median(self.loads):.1f}" if self.loads else ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.sign == "≥" else self.median <= self.goal

    @property
    def sign(self) -> str:
        """Whether more is better."""
        return "≥" if self.unit in ("/s", "%") else "≤"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    long: bool = False
    rounds: int = 3


class Book:
    """All figures of a run, in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], Figure] = {}
        #: Who could not be measured, and why.
        self.absent: dict[str, str] = {}

    def leave_out(self, who: str, why: str) -> None:
        """Say that somebody is not measured."""
        self.absent[who] = why
        print(f"  {who}: left out: {why}", flush=True)

    def add(
        self,
        work: str,
        who: str,
        value: float,
        *,
        unit: str = "s",
        goal: float | None = None,
        note: str = "",
    ) -> None:
        """One more measurement."""
        name = (work, who)
        if name not in self._figures:
            self._figures[name] = Figure(work, who, unit, [], goal, note)
        self._figures[name].values.append(value)
        self._figures[name].loads.append(round(os.getloadavg()[0], 2))
        print(f"  {work}: {who}: {value:.4g} {unit}", flush=True)

    @property
    def figures(self) -> Sequence[Figure]:
        """Those that have values."""
        return list(self._figures.values())
