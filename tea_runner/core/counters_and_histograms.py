"""Numbers that processes count together, for metrics: counters and histograms of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What is timed: a job's wait in the queue, its fetches, its commands, the storing of its results, and the
#: publication of a branch's results.
Timed = Literal["wait", "fetch", "run", "store", "settle"]
TIMED: tuple[Timed, ...] = ("wait", "fetch", "run", "store", "settle")
#: Upper limits of the buckets, in seconds; what is longer is in a last one.
BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
#: Most values of a label; further ones are counted as :data:`OTHER`.
MOST_LABELS = 50
OTHER = "other"
_LONGEST = 80


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How many observations are in each bucket."""

    #: Index of the bucket to its number; :data:`BUCKETS` has one less than there are.
    counts: Mapping[int, int] = field(default_factory=dict)
    #: Sum of all observations in seconds.
    total: float = 0.0

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus has them: each bucket with all before it."""
        found, number = [], 0
        for index, limit in enumerate([*map(repr, BUCKETS), "+Inf"]):
            number += self.counts.get(index, 0)
            found.append((limit, float(number)))
        return found


@dataclass(frozen=True, kw_only=True)
class MetricValues:
    """All that is counted."""

    histograms: Mapping[Timed, Histogram] = field(default_factory=dict)
    #: Name of a counter and its labels, to the number.
    counters: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    #: When the reconciler last compared all repositories, in seconds since 1970; 0 for never.
    reconciled: float = 0.0


def bucket(seconds: float) -> int:
    """Index of the bucket of an observation."""
    return next((i for i, limit in enumerate(BUCKETS) if seconds <= limit), len(BUCKETS))


def label(text: str) -> str:
    """A name as the value of a label: valid Unicode, and not long."""
    return text.encode("utf-8", "replace").decode()[:_LONGEST]
