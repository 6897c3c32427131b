"""Events that wait to be committed, one file each, in the order in which they came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.core.events.event import Event, format_event, parse_event
from tea_runner.host.private_folder import make_private_folder

#: Events of one trigger that wait, and bytes of them: more are not accepted.
MOST_WAITING, MOST_BYTES = 10_000, 1 << 30
_NAME = re.compile(r"[0-9]{20}-[A-Za-z0-9_]{8}")
_NEW = ".new-"


class EventFiles:
    """The spool below one folder; several processes may write, one reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, trigger: str, event: Event) -> None:
        """See :class:`tea_runner.ports.EventSpool`."""
        folder = self._folder / trigger
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_room(trigger, folder)
            made, name = tempfile.mkstemp(dir=folder, prefix=_NEW)
            try:
                with os.fdopen(made, "wb") as written:
                    written.write(format_event(event))
                    written.flush()
                    os.fsync(written.fileno())
                final = f"{time.time_ns():020d}-{name[-8:]}"
                os.rename(name, folder / final)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
            _sync(folder)
        except OSError as error:
            raise OutsideError(
                f"the event cannot be kept: {error.strerror}", hint="send it again later"
            ) from error

    def _check_room(self, trigger: str, folder: Path) -> None:
        count = size = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                with contextlib.suppress(FileNotFoundError):
                    size += entry.stat().st_size
        if count >= MOST_WAITING or size >= MOST_BYTES:
            raise OutsideError(
                f"{count} events of trigger {trigger} wait already", hint="send it again later"
            )

    def waiting(self, trigger: str) -> list[str]:
        """Names of the events that wait, in the order in which they came."""
        try:
            names = os.listdir(self._folder / trigger)
        except OSError:
            return []
        return sorted(name for name in names if _NAME.fullmatch(name))

    def read(self, trigger: str, name: str) -> Event | None:
        """An event; None for a file that is damaged."""
        try:
            return parse_event((self._folder / trigger / name).read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self, trigger: str, name: str) -> None:
        """Remove an event that was dealt with."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / trigger / name).unlink()

    @contextlib.contextmanager
    def sole_reader(self) -> Iterator[None]:
        """Be the one process that reads; the kernel releases the lock.

        :raises OutsideError: when another one reads, or the folder cannot be made.
        """
        make_private_folder(self._folder, "state")
        with (self._folder / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OutsideError(
                    f"{self._folder}: another tea-runner triggers runs", hint="stop it first"
                ) from error
            yield

    def sweep(self, trigger: str, *, older: float = 600.0) -> None:
        """Remove what killed writers left.

        :param older: seconds.
        """
        for path in (self._folder / trigger).glob(f"{_NEW}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older:
                    path.unlink()


def _sync(folder: Path) -> None:
    """Have a folder's entries outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
