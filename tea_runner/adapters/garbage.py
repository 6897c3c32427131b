"""Nothing in, a garbage collector that looks less often out; and memory that goes back when it is free.

A plan makes hundreds of thousands of small values, none of them part of a cycle.  Python's collector
looks at all of them again and again while they are made, which was two fifths of a plan's time
(``docs/explanation/performance.md``).

What is part of cycles is freed late by that, so nothing large should be: what is closed breaks its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

#: New objects between two looks at the youngest, and how often the older ones are looked at.
_THRESHOLDS = (20_000, 10, 10)


def collect_seldom() -> None:
    """For the whole process, from now on."""
    gc.set_threshold(*_THRESHOLDS)


def give_back() -> None:
    """Give memory that is free back to the machine.

    glibc keeps what is freed between two things that are in use; ``malloc_trim(3)`` hands such pages
    back.  Other libraries have no such function, and no such need.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
