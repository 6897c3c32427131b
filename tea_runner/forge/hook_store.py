"""Hooks kept as small files, one each, that only their owner can read."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.hook import Hook

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


class HookStore:
    """The hooks below one folder; processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Hook's id to its file's inode and time, and what was read then.
        self._known: dict[str, tuple[tuple[int, int], Hook]] = {}

    def new(self, forge: str, repository: str, *, repository_id: int | None = None) -> Hook:
        """A hook with a fresh id and a fresh secret; not kept before :meth:`keep`."""
        return Hook(
            id=secrets.token_urlsafe(18),
            forge=forge,
            repository=repository,
            repository_id=repository_id,
            secrets=(secrets.token_hex(32),),
        )

    def keep(self, hook: Hook) -> None:
        """Write a hook, whole or not at all.

        :raises OutsideError: when it cannot be written.
        """
        if not hook.secrets or not all(hook.secrets):
            raise ValueError("a hook without a secret would accept everything")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkstemp makes files that only their owner can read.
            made, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(made, "w", encoding="utf-8") as written:
                    json.dump(asdict(hook), written, indent=1, sort_keys=True)
                    written.flush()
                    os.fsync(written.fileno())
                os.replace(name, self._path(hook.id))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            raise OutsideError(
                f"cannot keep a hook in {self.folder}: {error.strerror}; check who owns the folder"
            ) from error

    def get(self, hook_id: str) -> Hook | None:
        """The hook of this id, None when there is none."""
        if not _ID.fullmatch(hook_id):
            return None
        path = self._path(hook_id)
        try:
            found = path.stat()
        except OSError:
            self._known.pop(hook_id, None)
            return _load(path)
        # A changed hook is another file: it was put in the place of the old one.
        stamp = (found.st_ino, found.st_mtime_ns)
        known = self._known.get(hook_id)
        if known is not None and known[0] == stamp:
            return known[1]
        hook = _load(path)
        if hook is not None:
            self._known[hook_id] = (stamp, hook)
        return hook

    def all(self) -> Iterator[Hook]:
        """Every hook, by repository."""
        hooks = [_load(path) for path in self.folder.glob("*.json")]
        yield from sorted(
            (hook for hook in hooks if hook is not None),
            key=lambda hook: (hook.repository, hook.id),
        )

    def remove(self, hook_id: str) -> None:
        """Forget a hook; its address answers 404 from now on."""
        with contextlib.suppress(FileNotFoundError):
            self._path(hook_id).unlink()
        with contextlib.suppress(FileNotFoundError):
            self._path(hook_id).with_suffix(".tested").unlink()

    def note_test(self, hook_id: str) -> None:
        """Remember that a test delivery of this hook arrived and was right."""
        with contextlib.suppress(OSError):
            self._path(hook_id).with_suffix(".tested").touch()

    def tested(self, hook_id: str) -> int:
        """When the last one arrived, in nanoseconds; 0 for never."""
        try:
            return self._path(hook_id).with_suffix(".tested").stat().st_mtime_ns
        except OSError:
            return 0

    def rotate(self, hook_id: str) -> Hook:
        """Put a fresh secret before those that are active; the old ones still hold.

        :raises NotFound: when there is no such hook.
        """
        hook = self.get(hook_id)
        if hook is None:
            raise NotFound(f"there is no hook {hook_id}; `tea-runner hook list` shows them")
        rotated = replace(hook, secrets=(secrets.token_hex(32), *hook.secrets))
        self.keep(rotated)
        return rotated

    def _path(self, hook_id: str) -> Path:
        return self.folder / f"{hook_id}.json"


def _load(path: Path) -> Hook | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutsideError(
            f"{path}: cannot be read: {error}; remove it and add the hook again"
        ) from error
    return Hook(**{**said, "secrets": tuple(said["secrets"])})
