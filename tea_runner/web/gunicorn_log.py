"""gunicorn's log in the format of the program's own log."""

from __future__ import annotations

import os

from gunicorn.config import Config
from gunicorn.glogging import Logger

from tea_runner.wiring import configure_logging

#: Environment variable of the setting log.format, which ``tea-runner serve`` sets for gunicorn.
FORMAT_VARIABLE = "TEA_RUNNER_LOG__FORMAT"


class GunicornLog(Logger):  # type: ignore[misc]
    """Logger class of gunicorn whose lines go to the handler of the root logger."""

    def setup(self, cfg: Config) -> None:
        """Replace gunicorn's handler."""
        super().setup(cfg)
        configure_logging("json" if os.environ.get(FORMAT_VARIABLE) == "json" else "text")
        self.error_log.handlers = []
        self.error_log.propagate = True
