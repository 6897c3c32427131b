"""Has a process read its settings again, at SIGHUP and when a file of them changes, by starting anew."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable

from tea_runner.core.errors import SettingsError
from tea_runner.host.has_terminal import has_terminal
from tea_runner.wiring import Site
from tea_runner.wiring.settings_files import SettingsFiles

log = logging.getLogger(__name__)


class SettingsReload:
    """Decides whether this process starts anew; the caller ends its work before.

    :param load: loads the settings once more.
    """

    def __init__(self, site: Site, load: Callable[[], object]) -> None:
        self._files = SettingsFiles(site.settings, site.secret)
        self._load = load
        self._seen: list[str] = []
        self._had_terminal = has_terminal()
        #: Why changed settings are not used; empty when they are.
        self.problem = ""

    @property
    def digests(self) -> dict[str, str]:
        """Digests of the files as this process has read them."""
        return self._files.digests

    def look(self) -> None:
        """Send SIGHUP to this process when a file has changed and nobody is writing it any more."""
        changed = self._files.changed()
        is_settled = changed and changed == self._seen
        self._seen = changed
        if is_settled and callable(signal.getsignal(signal.SIGHUP)) and self.is_due():
            os.kill(os.getpid(), signal.SIGHUP)

    def is_due(self) -> bool:
        """Whether the process may start anew: whether the settings can be read.

        A process whose terminal was closed ends instead.
        """
        if self._had_terminal and not has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
            return False
        try:
            self._load()
        except SettingsError as error:
            if error.message != self.problem:
                log.error("the former settings stay in force: %s", error.message)
            self.problem = error.message
            return False
        self.problem = ""
        return True
