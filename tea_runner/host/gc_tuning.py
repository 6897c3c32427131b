"""Nothing in, a garbage collector that looks less often out; and memory that goes back when it is free.

A plan makes hundreds of thousands of small values, none of them part of a cycle.  Python's collector
looks at all of them again and again while they are made, which was two fifths of a plan's time
(``docs/explanation/performance.md``).

It is not even looked at while a plan is made, and what a large plan made is left alone afterwards.

What is part of cycles is freed late by that, so nothing large should be: what is closed breaks its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
from collections.abc import Iterator

#: New objects between two looks at the youngest, and how often the older ones are looked at.
_THRESHOLDS = (20_000, 10, 10)
#: New objects of a piece of work after which they are left alone.
_MANY = 200_000
#: Every so many times all is looked at once more, so that cycles among what was left alone go.
_TURNS = 16
_turns = itertools.count(1)


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """A piece of work that makes many values, of which nearly all stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if gc.get_count()[0] > _MANY:
            if next(_turns) % _TURNS:
                gc.freeze()
            else:
                gc.unfreeze()
                gc.collect()


def raise_gc_thresholds() -> None:
    """For the whole process, from now on."""
    gc.set_threshold(*_THRESHOLDS)


def release_free_memory() -> None:
    """Give memory that is free back to the machine.

    glibc keeps what is freed between two things that are in use; ``malloc_trim(3)`` hands such pages
    back.  Other libraries have no such function, and no such need.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
