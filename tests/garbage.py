"""Nothing in, a process without garbage out; what earlier tests left open is not this one's fault."""

from __future__ import annotations

import gc
import warnings


def sweep() -> None:
    """Have the collector look at everything, in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
