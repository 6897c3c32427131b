"""A Gitea on this host: its settings, its database (SQLite) and its first administrator, in one folder."""

from __future__ import annotations

import configparser
import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.host import process

#: Seconds for a new database, or for that of an older Gitea to be brought to this one's form.
_MIGRATION = 600


@dataclass(frozen=True, kw_only=True)
class GiteaServer:
    """The settings of one Gitea; the process itself is started and kept by others.

    :param folder: everything that it keeps.
    :param url: where people reach it.
    """

    folder: Path
    host: str
    port: int
    url: str
    path: str = os.defpath

    def program(self) -> str:
        """The program.

        :raises OutsideError: when it is not installed.
        """
        found = shutil.which("gitea", path=self.path)
        if found is None:
            raise OutsideError(
                "gitea is not on PATH",
                hint="install it from https://about.gitea.com, or start the embedded forge: tea-runner up",
            )
        return found

    @property
    def settings(self) -> Path:
        """Its settings file."""
        return self.folder / "app.ini"

    @property
    def argv(self) -> list[str]:
        """The command of the server."""
        return [self.program(), "-c", str(self.settings), "web"]

    @property
    def env(self) -> dict[str, str]:
        """The variables of the server."""
        return {"PATH": self.path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def prepare(self, administrator: str, password: str) -> None:
        """Write the settings, bring the database to this Gitea's form, and make the administrator.

        Values that others added to the settings stay.

        :raises OutsideError: when Gitea refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write_settings()
        self._gitea("migrate")
        listed = self._gitea("admin", "user", "list").splitlines()[1:]
        if administrator not in [line.split()[1] for line in listed if len(line.split()) > 1]:
            self._gitea(
                *("admin", "user", "create", "--username", administrator, "--password", password),
                *("--email", f"{administrator}@noreply.localhost", "--admin"),
                "--must-change-password=false",
            )

    def _gitea(self, *words: str) -> str:
        argv = [self.program(), "-c", str(self.settings), *words]
        done = process.run(argv, env=self.env, cwd=self.folder, timeout=_MIGRATION)
        return done.stdout.decode("utf-8", "replace")

    def _write_settings(self) -> None:
        ini = configparser.RawConfigParser(strict=False)
        ini.optionxform = str  # type: ignore[assignment,method-assign]
        text = self.settings.read_text(encoding="utf-8") if self.settings.exists() else ""
        # Gitea writes the values of its first section without the section's name.
        ini.read_string(text if text.startswith("[") else f"[{ini.default_section}]\n{text}")
        for section, values in self._values().items():
            if section != ini.default_section and not ini.has_section(section):
                ini.add_section(section)
            for name, value in values.items():
                ini.set(section, name, value)
        descriptor = os.open(self.settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            ini.write(file)

    def _values(self) -> Mapping[str, Mapping[str, str]]:
        """Values that are written at each start."""
        hosts = {"ALLOWED_HOST_LIST": "loopback"}
        return {
            "DEFAULT": {
                "RUN_MODE": "prod",
                "RUN_USER": _user_name(),
                "WORK_PATH": str(self.folder / "work"),
                **({} if os.geteuid() else {"I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true"}),
            },
            "server": {
                "HTTP_ADDR": self.host,
                "HTTP_PORT": str(self.port),
                "LOCAL_ROOT_URL": f"http://127.0.0.1:{self.port}/",
                "ROOT_URL": f"{self.url}/",
                "DISABLE_SSH": "true",
                "OFFLINE_MODE": "true",
            },
            "database": {"DB_TYPE": "sqlite3", "PATH": str(self.folder / "gitea.db")},
            "security": {"INSTALL_LOCK": "true", **hosts},
            "webhook": hosts,
            "service": {"DISABLE_REGISTRATION": "true"},
            "actions": {"ENABLED": "false"},
            "mailer": {"ENABLED": "false"},
            "repository": {"ENABLE_PUSH_CREATE_USER": "true", "ENABLE_PUSH_CREATE_ORG": "true"},
            "log": {"LEVEL": "Warn"},
        }


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise OutsideError(
            f"user {os.geteuid()} has no name on this machine, which Gitea needs",
            hint="start it as a user of /etc/passwd",
        ) from error
