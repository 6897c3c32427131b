"""Files that the settings of a process come from, and whether they were changed since it read them."""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
from collections.abc import Iterator
from pathlib import Path

from tea_runner.settings import Settings

#: Bytes of the largest file that counts: settings and secrets are small.
_MOST = 1 << 20


def settings_files(settings: Settings) -> list[Path]:
    """The settings file, and the files of secrets and certificates that it names, sorted."""
    # What commands see is no setting: it may change all the time.
    sandbox = dataclasses.replace(settings.sandbox, binds=())
    named = _paths(dataclasses.replace(settings, sandbox=sandbox))
    paths = {*named, settings.state.expanduser() / "queue.key"}
    return sorted(path for path in paths if _is_small_file(path))


def digest(path: Path, key: bytes) -> str:
    """16 hex digits of a keyed hash of path and content; empty when it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return hmac.new(key, f"{path}\n".encode() + content, "sha256").hexdigest()[:16]


class SettingsFiles:
    """The files as they were when this was made.

    :param key: of the digests, so that they tell nobody else of the contents.
    """

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._key = key
        self.digests = {str(path): digest(path, key) for path in settings_files(settings)}
        self._stats = {path: _stat(path) for path in self.digests}

    def changed(self) -> list[str]:
        """Those whose content is another one now; costs a stat of each."""
        found = []
        for path, before in self.digests.items():
            now = _stat(path)
            if now == self._stats[path]:
                continue
            if digest(Path(path), self._key) == before:
                self._stats[path] = now
            else:
                found.append(path)
        return found


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value.expanduser()
    elif isinstance(value, tuple):
        for each in value:
            yield from _paths(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _paths(getattr(value, field.name))


def _is_small_file(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_file() and path.stat().st_size <= _MOST
    return False


def _stat(path: str) -> tuple[int, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
