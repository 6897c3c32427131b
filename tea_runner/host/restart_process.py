"""Replace this process by a new one of the same program, with the same arguments and process id."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

log = logging.getLogger(__name__)


def start_anew() -> NoReturn:
    """Begin again, as after a start; open files and child processes must have been closed."""
    log.warning("starting anew with the settings as they are now")
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself
