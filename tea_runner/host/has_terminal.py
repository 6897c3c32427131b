"""The terminal that a process was started in: when it closes, SIGHUP says so."""

from __future__ import annotations

import os


def has_terminal() -> bool:
    """Whether the process reads from a terminal that is there."""
    try:
        return os.isatty(0)
    except OSError:
        return False
