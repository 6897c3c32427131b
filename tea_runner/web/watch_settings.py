"""Watches the files of the settings in gunicorn's main process, and has it replace its processes."""

from __future__ import annotations

import logging
import os
import signal
import time

from tea_runner.core.errors import SettingsError
from tea_runner.web.wsgi import current_settings
from tea_runner.wiring.settings_files import SettingsFiles

log = logging.getLogger(__name__)

#: Seconds between two looks.
_LOOK_EVERY = 5.0


def watch_settings() -> None:
    """Send SIGHUP to this process for each change of the settings that can be read; never returns."""
    main, seen, problem = os.getpid(), list[str](), ""
    files = SettingsFiles(current_settings(), b"")
    while True:
        time.sleep(_LOOK_EVERY)
        if os.getpid() != main:
            # gunicorn's fork has taken this thread along.
            return
        changed = files.changed()
        is_settled, seen = bool(changed) and changed == seen, changed
        if not is_settled:
            continue
        try:
            files, problem = SettingsFiles(current_settings(), b""), ""
        except SettingsError as error:
            if error.message != problem:
                problem = error.message
                log.error("the former settings stay in force: %s", problem)
            continue
        os.kill(main, signal.SIGHUP)
