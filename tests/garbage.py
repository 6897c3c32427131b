"""Nothing in, a process without garbage out; what earlier tests left open is not this one's fault."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator


def sweep() -> None:
    """Have the collector look at everything, in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """The collector waits: its time grows with what the tests before left, not with what is measured."""
    sweep()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
