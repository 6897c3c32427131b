"""Gitea and MinIO beside a server: their accounts and webhook, and the settings that lead to them."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tea_runner.cli.embedded_forge_setup import (
    BOT,
    USER,
    local_web,
    storage_table,
    write_private,
)
from tea_runner.cli.main import Context
from tea_runner.cli.set_up_organisation import connect_organisation
from tea_runner.core.host_and_port import format_address
from tea_runner.forge.gitea_administrator import GiteaAdministrator, is_token_of
from tea_runner.forge.gitea_server import GiteaServer
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.host.minio_server import MinioServer

#: The organisation whose repositories are processed, and the name of its storage.
ORGANISATION, STORAGE = "lab", "store"
_BUCKET = "datasets"
_SHARED = ("encryption=none", "autoenable=true")


class StartChild(Protocol):
    """Starts one process and keeps it running."""

    def __call__(self, name: str, argv: list[str], env: Mapping[str, str]) -> None:
        """Start it under this name."""
        ...


@dataclass(kw_only=True)
class LabServers:
    """A Gitea and a MinIO in the state folder.

    :param name: host name or address at which people reach this host.
    """

    context: Context
    name: str
    gitea_port: int
    minio_port: int
    #: Settings that lead another process to them; known after :meth:`start`.
    flags: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = Path(self.context.settings.state)
        file = self.state / "lab.json"
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        self.kept = {
            "password": secrets.token_urlsafe(12),
            "s3_key": secrets.token_hex(8),
            "s3_secret": secrets.token_urlsafe(24),
            "storage_uuid": str(uuid.uuid4()),
            **kept,
        }
        self._file = file

    @property
    def user(self) -> str:
        """Account of the person who started the servers, an administrator of Gitea."""
        return USER

    @property
    def password(self) -> str:
        """Password of that account."""
        return self.kept["password"]

    @property
    def gitea_url(self) -> str:
        """Where people reach Gitea."""
        return f"http://{format_address(self.name, self.gitea_port)}"

    @property
    def local_url(self) -> str:
        """Where this host reaches Gitea."""
        return f"http://127.0.0.1:{self.gitea_port}"

    @property
    def storage_options(self) -> dict[str, str]:
        """Options of the special remote that say where the storage is."""
        return {
            "host": self.name,
            "port": str(self.minio_port),
            "protocol": "http",
            "bucket": _BUCKET,
        }

    @property
    def init_storage(self) -> list[str]:
        """Words after ``git annex initremote`` that make the storage of a dataset.

        All datasets have it with the same uuid: git-annex takes no bucket that another uuid uses.
        """
        options = {**self.storage_options, "requeststyle": "path"}
        words = [f"{name}={value}" for name, value in options.items()]
        return [STORAGE, "type=S3", *words, *_SHARED, f"uuid={self.kept['storage_uuid']}"]

    @property
    def storage_variables(self) -> dict[str, str]:
        """Variables with the credentials of the storage."""
        return {
            "AWS_ACCESS_KEY_ID": self.kept["s3_key"],
            "AWS_SECRET_ACCESS_KEY": self.kept["s3_secret"],
        }

    def start(self, child: StartChild, wait: Callable[[str, str], None]) -> Context:
        """Start both, set them up, and return the context with the settings that lead to them.

        What was made at an earlier start stays.

        :param wait: waits until a URL answers 200; its second parameter names what is waited for.
        :raises OutsideError: when a program is missing or does not start.
        :raises ForgeError: when Gitea refuses a step.
        """
        settings = self.context.settings
        path = self.context.variables.get("PATH", "")
        write_private(self._file, json.dumps(self.kept))
        minio = MinioServer(
            folder=self.state / "minio",
            host=settings.web.host,
            port=self.minio_port,
            user=self.kept["s3_key"],
            password=self.kept["s3_secret"],
            path=path,
        )
        gitea = GiteaServer(
            folder=self.state / "gitea",
            host=settings.web.host,
            port=self.gitea_port,
            url=self.gitea_url,
            path=path,
        )
        gitea.prepare(self.user, self.password)
        minio.folder.mkdir(exist_ok=True, mode=0o700)
        child("minio", minio.argv, minio.env)
        child("gitea", gitea.argv, gitea.env)
        wait(minio.health_url, "MinIO")
        wait(f"{self.local_url}/api/healthz", "Gitea")
        self._set_up_accounts()
        self.flags = self._settings()
        return self.context.with_flags(self.flags)

    def has_repository(self, name: str) -> bool:
        """Whether Gitea has a repository."""
        return self._person().has_repository(name)

    def _person(self) -> GiteaAdministrator:
        return GiteaAdministrator(self.local_url, self.user, self.password)

    def _set_up_accounts(self) -> None:
        person = self._person()
        person.check()
        person.ensure_user(BOT, f"{BOT}@noreply.localhost")
        token = self.state / "forge.token"
        old = token.read_text().strip() if token.exists() else ""
        if not old or not is_token_of(self.local_url, old, BOT):
            write_private(token, person.new_token(BOT, "tea-runner"))
        hooks = WebhookStore(self.state / "hooks")
        base = f"http://{local_web(self.context.settings)}"
        connect_organisation(person, hooks, ORGANISATION, bot=BOT, base=base)

    def _settings(self) -> dict[str, object]:
        settings = self.context.settings
        files = {}
        for variable, value in self.storage_variables.items():
            files[variable] = str(self.state / variable.lower().replace("_", "-"))
            write_private(Path(files[variable]), value)
        # The people of the lab share one key of the storage, so one dataset's readers can read all.
        table = {
            "name": STORAGE,
            "type": "S3",
            "options": self.storage_options,
            "env": files,
            "repositories": [f"{ORGANISATION}/*"],
        }
        others = [storage_table(each) for each in settings.storage if each.name != STORAGE]
        flags: dict[str, object] = {
            "forge.kind": "gitea",
            "forge.url": self.local_url,
            "forge.user": BOT,
            "forge.token_file": str(self.state / "forge.token"),
            "pages.passwords": "true",
            "storage": json.dumps([*others, table]),
        }
        wanted = {
            "web.url": f"http://{format_address(self.name, settings.web.port)}",
            "pages.operators": self.user,
            "repositories": f"{ORGANISATION}/*",
            "annex.allowed_addresses": "127.0.0.1,::1",
        }
        defaults = {k: v for k, v in wanted.items() if settings.source(k) == "default"}
        return flags | defaults
