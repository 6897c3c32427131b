"""A pipeline's ``transform.secrets`` and the operator's table in, variables and files for its command out.

A secret is a file, or a folder with a file per key.  It is given to the repositories that the table
names, on trusted branches, and stands in no key, record, log or result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import Refused, SettingsError
from tea_runner.core.hook import names
from tea_runner.core.pipeline import SecretReference
from tea_runner.core.redact import SHORTEST
from tea_runner.sandbox.protocol import Mount


@dataclass(frozen=True, kw_only=True)
class PipelineSecret:
    """One secret of this host, and the repositories whose commands may have it."""

    name: str
    file: Path
    repositories: tuple[str, ...]

    def values(self) -> dict[str, bytes]:
        """Key to value.

        :raises SettingsError: when it cannot be read, or is too short to be hidden in a log.
        """
        try:
            if self.file.is_dir():
                files = [path for path in sorted(self.file.iterdir()) if path.name[0] != "."]
                found = {path.name: path.read_bytes() for path in files if path.is_file()}
            else:
                found = {self.name: self.file.read_bytes()}
        except OSError as error:
            raise SettingsError(f"secret {self.name}: {self.file}: {error.strerror}") from error
        for key, value in found.items():
            if len(value.strip()) < SHORTEST:
                raise SettingsError(
                    f"secret {self.name}: {key} has fewer than {SHORTEST} bytes, so it cannot be "
                    f"kept out of logs; use a longer one"
                )
        return found


@dataclass(frozen=True, kw_only=True)
class GivenSecrets:
    """What a command gets."""

    env: dict[str, str] = field(default_factory=dict, repr=False)
    mounts: tuple[Mount, ...] = ()
    #: For looking whether an output tells one.
    values: tuple[bytes, ...] = field(default=(), repr=False)


def give_secrets(
    wanted: Sequence[SecretReference],
    known: Sequence[PipelineSecret],
    *,
    repository: str,
    trusted: bool,
    folder: Path,
) -> GivenSecrets:
    """The secrets that a pipeline asks for.

    :param folder: not there yet; below it files are made, which others may read: the folder above
        is closed.
    :raises Refused: when one is not to be had here, with the reason.
    """
    env: dict[str, str] = {}
    mounts = []
    values: list[bytes] = []
    for number, asked in enumerate(wanted):
        secret = next((each for each in known if each.name == asked.name), None)
        if secret is None or not any(names(p, repository) for p in secret.repositories):
            # The same words for both: a pipeline cannot find out what else there is.
            raise Refused(
                f"secret {asked.name} is not there for {repository}; the operator lists it, with "
                f"this repository, under [[secrets]] in the settings of the workers"
            )
        if not trusted:
            raise Refused(
                f"secret {asked.name} is given on trusted branches only (trusted_branches in the "
                f"settings); push to one of those"
            )
        found = secret.values()
        values += found.values()
        if asked.env_var:
            key = asked.key or next(iter(found), "") if len(found) == 1 else asked.key
            if key not in found:
                there = ", ".join(sorted(found)) or "none"
                raise Refused(f"secret {asked.name} has no key {key!r}; it has {there}")
            text = found[key].removesuffix(b"\n")
            if b"\0" in text:
                raise Refused(f"secret {asked.name} is no text; ask for it with mount_path")
            env[asked.env_var] = text.decode("utf-8", "surrogateescape")
        if asked.mount_path:
            place = folder / str(number)
            place.mkdir(parents=True, mode=0o755)
            for key, value in found.items():
                if asked.key in ("", key):
                    (place / key).write_bytes(value)
                    (place / key).chmod(0o444)
            mounts.append(Mount(source=place, target=asked.mount_path))
    return GivenSecrets(env=env, mounts=tuple(mounts), values=tuple(values))
