"""Tune Python's garbage collector for plans, and give freed memory back to the system.

A plan makes hundreds of thousands of small values, none of them part of a reference cycle.  The cyclic
collector scanned all of them again and again while they were made, which took two fifths of the time of a
plan (``docs/explanation/performance.md``).  So it is off while a plan is made, and what a large plan leaves
is frozen (``gc.freeze``) afterwards.  Cycles are freed late by this, so large objects must not be part of
one: they break their cycles when they are closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
from collections.abc import Iterator

#: Thresholds of the three generations, see :func:`gc.set_threshold`.
_THRESHOLDS = (20_000, 10, 10)
#: New objects from which on they are frozen.
_FREEZE_FROM = 200_000
#: Every so many times all objects are unfrozen and collected, so that frozen cycles are freed.
_COLLECT_EVERY = 16
_freezes = itertools.count(1)


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Turn the collector off for a block that makes many values, most of which stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if gc.get_count()[0] > _FREEZE_FROM:
            if next(_freezes) % _COLLECT_EVERY:
                gc.freeze()
            else:
                gc.unfreeze()
                gc.collect()


def raise_gc_thresholds() -> None:
    """Make the collector of this process run less often."""
    gc.set_threshold(*_THRESHOLDS)


def release_free_memory() -> None:
    """Return free memory to the operating system.

    glibc keeps freed pages that lie between pages in use; malloc_trim(3) returns them.  Other C libraries
    have no such function and do not need it.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
