"""Settings of the server that runs in the state folder, for verbs beside it.

``tea-runner up`` writes down which forge it started. A verb without a forge of its own uses that one
with the server's account, as long as the server holds the lock of the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Names in the state folder: the lock of a server, and its settings.
LOCK = "up.lock"
FILE = "up.json"


@contextlib.contextmanager
def lent_settings(state: Path, flags: Mapping[str, object]) -> Iterator[None]:
    """Keep these settings for verbs beside the server until its end; only their owner can read them."""
    file = state / FILE
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(dict(flags), out)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def settings_of_server(state: Path) -> Mapping[str, object]:
    """Settings by name of the server that runs in this folder; none where none runs.

    Those of another user of this machine cannot be read, and are none as well.
    """
    try:
        flags = json.loads((state / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return flags if isinstance(flags, dict) and _is_locked(state / LOCK) else {}


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
