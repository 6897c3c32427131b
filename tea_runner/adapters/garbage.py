"""Nothing in, a garbage collector that looks less often out.

A plan makes hundreds of thousands of small values, none of them part of a cycle.  Python's collector
looks at all of them again and again while they are made, which was two fifths of a plan's time
(``docs/explanation/performance.md``).
"""

from __future__ import annotations

import gc

#: New objects between two looks at the youngest, and how often the older ones are looked at.
_THRESHOLDS = (20_000, 10, 10)


def collect_seldom() -> None:
    """For the whole process, from now on."""
    gc.set_threshold(*_THRESHOLDS)
