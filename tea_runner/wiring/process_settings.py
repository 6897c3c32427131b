"""Settings, environment variables and private files of one process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tea_runner.host.private_folder import make_private_folder
from tea_runner.settings import Settings, read_secret


@dataclass(frozen=True)
class ProcessSettings:
    """What all parts of a process are built from.

    :param variables: the process's environment variables.
    :param redis_timeout: seconds that Redis may take for an answer.
    """

    settings: Settings
    variables: Mapping[str, str]
    redis_timeout: float = 5.0

    @property
    def state_folder(self) -> Path:
        """The folder of everything that is kept; created when it is missing.

        :raises OutsideError: when it cannot be created.
        """
        return make_private_folder(self.settings.state.expanduser(), "state")

    @cached_property
    def secret(self) -> bytes:
        """The key that signs jobs; generated once, readable by its owner only."""
        return _made_once(self.settings.redis.key_file or self.state_folder / "queue.key")

    @cached_property
    def pages_key(self) -> bytes:
        """The key of sessions on the pages; generated once, readable by its owner only."""
        return _made_once(self.state_folder / "pages.key")

    @cached_property
    def pages_token(self) -> str:
        """The token of this server's operator; generated once, readable by its owner only."""
        return _made_once(self.state_folder / "pages.token").decode("ascii", "replace")

    @cached_property
    def metrics_token(self) -> str:
        """The token of the metrics; empty for none.

        :raises SettingsError: when its file cannot be read.
        """
        path, name = self.settings.metrics.token_file, "metrics.token_file"
        return read_secret(path, name, self.settings.source(name)).reveal() if path else ""


def _made_once(path: Path) -> bytes:
    """The secret in a file, which is written with a new one when it does not exist."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_bytes().strip()
