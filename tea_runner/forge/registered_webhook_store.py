"""Store of webhooks: one small file each, readable by its owner only."""

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

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.core.errors import NotFound, OutsideError

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


class WebhookStore:
    """The webhooks below one folder; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Id of a hook to its file's inode and modification time, and its content.
        self._cache: dict[str, tuple[tuple[int, int], Webhook]] = {}

    def new(self, forge: str, repository: str, *, repository_id: int | None = None) -> Webhook:
        """Make a hook with a new id and a new secret; :meth:`keep` stores it."""
        return Webhook(
            id=secrets.token_urlsafe(18),
            forge=forge,
            repository=repository,
            repository_id=repository_id,
            secrets=(secrets.token_hex(32),),
        )

    def keep(self, hook: Webhook) -> None:
        """Store a hook atomically.

        :raises OutsideError: when the file cannot be written.
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
                f"cannot write a hook to {self.folder}: {error.strerror}",
                hint="check the owner of the folder",
            ) from error

    def get(self, webhook_id: str) -> Webhook | None:
        """Return the hook with this id, or None."""
        if not _ID.fullmatch(webhook_id):
            return None
        path = self._path(webhook_id)
        try:
            found = path.stat()
        except OSError:
            self._cache.pop(webhook_id, None)
            return _load(path)
        # A changed hook is a new file, because keep() replaces the old one.
        stamp = (found.st_ino, found.st_mtime_ns)
        cached = self._cache.get(webhook_id)
        if cached is not None and cached[0] == stamp:
            return cached[1]
        hook = _load(path)
        if hook is not None:
            self._cache[webhook_id] = (stamp, hook)
        return hook

    def all(self) -> Iterator[Webhook]:
        """Yield all hooks, sorted by repository."""
        hooks = [_load(path) for path in self.folder.glob("*.json")]
        yield from sorted(
            (hook for hook in hooks if hook is not None),
            key=lambda hook: (hook.repository, hook.id),
        )

    def remove(self, webhook_id: str) -> None:
        """Remove a hook; deliveries to its address get 404."""
        with contextlib.suppress(FileNotFoundError):
            self._path(webhook_id).unlink()
        with contextlib.suppress(FileNotFoundError):
            self._path(webhook_id).with_suffix(".tested").unlink()

    def note_test(self, webhook_id: str) -> None:
        """Record that a valid test delivery of this hook arrived."""
        with contextlib.suppress(OSError):
            self._path(webhook_id).with_suffix(".tested").touch()

    def tested(self, webhook_id: str) -> int:
        """Time of the last test delivery, in nanoseconds since 1970; 0 for never."""
        try:
            return self._path(webhook_id).with_suffix(".tested").stat().st_mtime_ns
        except OSError:
            return 0

    def rotate(self, webhook_id: str) -> Webhook:
        """Add a new secret; signatures with the old ones stay valid.

        :raises NotFound: when the hook does not exist.
        """
        hook = self.get(webhook_id)
        if hook is None:
            raise NotFound(
                f"hook {webhook_id} not found", hint="`tea-runner webhook list` shows the hooks"
            )
        rotated = replace(hook, secrets=(secrets.token_hex(32), *hook.secrets))
        self.keep(rotated)
        return rotated

    def _path(self, webhook_id: str) -> Path:
        return self.folder / f"{webhook_id}.json"


def _load(path: Path) -> Webhook | None:
    """Read a hook's file.

    :raises OutsideError: when it cannot be read.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutsideError(
            f"{path}: cannot be read: {error}", hint="remove it and add the hook again"
        ) from error
    return Webhook(**{**fields, "secrets": tuple(fields["secrets"])})
