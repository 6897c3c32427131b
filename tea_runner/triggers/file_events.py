"""Changes in folders as the system announces them; without announcements, a wait of a few seconds.

An event is a hint only: whoever is woken looks at the folders.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from watchfiles import watch

log = logging.getLogger(__name__)

#: Seconds between two looks where the system announces nothing, such as when all watches are in use.
POLL = 5.0


class FileEvents:
    """Waits for changes below some folders.

    :param folders: those that exist; they are watched with all folders below.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="file-events", daemon=True)
        self._thread.start()

    @property
    def polls(self) -> bool:
        """Whether the system announces nothing, so that folders are looked at every few seconds."""
        return self._failed.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for a change, up to some seconds; True when something may have changed."""
        limit = min(seconds, POLL) if self.polls else seconds
        changed = self._changed.wait(limit)
        self._changed.clear()
        return changed or self.polls

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(2)

    def _watch(self) -> None:
        try:
            for _ in watch(
                *self.folders,
                watch_filter=lambda _, path: "/.git/" not in path,
                stop_event=self._stop,
                raise_interrupt=False,
                # With this the library also passes over folders for which the system has no watch left.
                ignore_permission_denied=False,
                debounce=200,
            ):
                self._changed.set()
        except Exception as error:  # the library raises several kinds
            log.warning("changes of files are not announced (%s): looking every %g s", error, POLL)
        if not self._stop.is_set():
            self._failed.set()
            self._changed.set()
