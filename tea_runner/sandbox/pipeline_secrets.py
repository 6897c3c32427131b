"""Secrets of a pipeline (Pachyderm's ``transform.secrets``) as variables and files for its command.

A secret is a file, or a folder with a file per key.  The operator lists the repositories that may use it;
only their trusted branches do.  No key, record, log or result contains one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.deliveries.registered_webhook import matches_repository
from tea_runner.core.errors import Refused, SettingsError
from tea_runner.core.pipeline import SecretReference
from tea_runner.core.redact import MIN_LENGTH
from tea_runner.host.world_readable_folder import make_world_readable_folder
from tea_runner.sandbox.bubblewrap_options import is_loader_variable
from tea_runner.sandbox.execution_environment import Mount


@dataclass(frozen=True, kw_only=True)
class PipelineSecret:
    """A secret of this host, and patterns of the repositories whose commands may use it."""

    name: str
    file: Path
    repositories: tuple[str, ...]

    def values(self) -> dict[str, bytes]:
        """Key to value.

        :raises SettingsError: when it cannot be read, or is too short to be redacted in logs.
        """
        try:
            if self.file.is_dir():
                files = [path for path in sorted(self.file.iterdir()) if path.name[0] != "."]
                values = {path.name: path.read_bytes() for path in files if path.is_file()}
            else:
                values = {self.name: self.file.read_bytes()}
        except OSError as error:
            raise SettingsError(f"secret {self.name}: {self.file}: {error.strerror}") from error
        for key, value in values.items():
            if len(value.strip()) < MIN_LENGTH:
                raise SettingsError(
                    f"secret {self.name}: {key} has fewer than {MIN_LENGTH} bytes, so it cannot "
                    "be kept out of logs",
                    hint="use a longer one",
                )
        return values


@dataclass(frozen=True, kw_only=True)
class GivenSecrets:
    """The secrets of one command."""

    env: dict[str, str] = field(default_factory=dict, repr=False)
    mounts: tuple[Mount, ...] = ()
    #: For the search for secrets in outputs.
    values: tuple[bytes, ...] = field(default=(), repr=False)


def give_secrets(
    wanted: Sequence[SecretReference],
    known: Sequence[PipelineSecret],
    *,
    repository: str,
    trusted: bool,
    folder: Path,
) -> GivenSecrets:
    """The secrets that a pipeline requests.

    :param folder: does not exist yet; the files are made below it and readable by all users, so the
        folder above it must not be.
    :raises Refused: when the host does not give one of them to this repository and branch.
    """
    env: dict[str, str] = {}
    mounts = []
    values: list[bytes] = []
    for number, asked in enumerate(wanted):
        secret = next((each for each in known if each.name == asked.name), None)
        if secret is None or not any(
            matches_repository(p, repository) for p in secret.repositories
        ):
            # The same message for both: a pipeline must not find out which secrets exist.
            raise Refused(
                f"secret {asked.name} is not available to {repository}",
                hint="the operator lists it, with this repository, under [[secrets]] in the "
                "settings of the workers",
            )
        if not trusted:
            raise Refused(
                f"secret {asked.name} is available on trusted branches only (trusted_branches "
                "in the settings)",
                hint="push to one of those",
            )
        values_by_key = secret.values()
        values += values_by_key.values()
        if is_loader_variable(asked.env_var):
            # It would stand on the command line that sets it after the change of the user.
            raise Refused(
                f"secret {asked.name} cannot be in variable {asked.env_var}, which changes "
                "how programs are loaded",
                hint="use another env_var",
            )
        if asked.env_var:
            key = (
                asked.key or next(iter(values_by_key), "") if len(values_by_key) == 1 else asked.key
            )
            if key not in values_by_key:
                there = ", ".join(sorted(values_by_key)) or "none"
                raise Refused(f"secret {asked.name} has no key {key!r}", hint=f"it has {there}")
            text = values_by_key[key].removesuffix(b"\n")
            if b"\0" in text:
                raise Refused(f"secret {asked.name} is not text", hint="use mount_path for it")
            env[asked.env_var] = text.decode("utf-8", "surrogateescape")
        if asked.mount_path:
            mounted = folder / str(number)
            make_world_readable_folder(mounted)
            for key, value in values_by_key.items():
                if asked.key in ("", key):
                    (mounted / key).write_bytes(value)
                    (mounted / key).chmod(0o444)
            mounts.append(Mount(source=mounted, target=asked.mount_path))
    return GivenSecrets(env=env, mounts=tuple(mounts), values=tuple(values))
