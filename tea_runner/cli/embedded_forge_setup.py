"""Accounts, webhook and storage of the embedded forge, and the settings that lead to it."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tea_runner.cli.main import Context
from tea_runner.core.host_and_port import format_address, local_host
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.settings import Settings, StorageOptions

USER = "me"
BOT = "tea-runner"
_USUAL_PORT = 3000


@dataclass(frozen=True, kw_only=True)
class EmbeddedAccess:
    """Address, account and storage of the embedded forge, for the user of ``tea-runner up``."""

    url: str
    port: int
    user: str
    password: str
    storage: str
    store: Path
    #: Settings that lead another process to the forge.
    flags: Mapping[str, object]


def embed_forge(context: Context) -> tuple[Context, EmbeddedAccess]:
    """Create the embedded forge's accounts, or read those of an earlier start.

    The settings of the user stay; flags that point to the forge are added to them.
    """
    settings = context.settings
    state = settings.state.expanduser().resolve()
    file = state / "forge-access.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    host = local_host(settings.web.host)
    usual = (port for port in (kept.get("port"), _USUAL_PORT) if port and _is_free(host, port))
    port = next(usual, None) or free_port()
    kept = {"password": secrets.token_urlsafe(9), **kept, "port": port}
    _create_accounts(settings, state, kept)
    token = state / "forge.token"
    write_private(file, json.dumps(kept))
    write_private(token, kept["token"])
    store = state / "store"
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    taken = {storage.name for storage in settings.storage}
    name = "store" if "store" not in taken else "embedded-store"
    embedded = {"name": name, "type": "directory", "options": {"directory": str(store)}}
    url = f"http://{format_address(host, port)}"
    flags: dict[str, object] = {
        "forge.kind": "gitea",
        "forge.url": url,
        "forge.user": BOT,
        "forge.token_file": str(token),
        "pages.passwords": "true",
        "storage": json.dumps([*map(storage_table, settings.storage), embedded]),
    }
    if settings.source("repositories") == "default":
        flags["repositories"] = "*/*"
    access = EmbeddedAccess(
        url=url,
        port=port,
        user=USER,
        password=kept["password"],
        storage=name,
        store=store,
        flags=flags,
    )
    return context.with_flags(flags), access


def _create_accounts(settings: Settings, state: Path, kept: dict[str, Any]) -> None:
    """Accounts at the first start; at each start the webhook with today's address."""
    hooks = WebhookStore(state / "hooks")
    hook = next(iter(hooks.all()), None) or hooks.new("gitea", "*/*")
    hooks.keep(hook)
    with EmbeddedForge(state / "forge") as forge:
        if "token" not in kept:
            forge.add_user(USER, kept["password"])
            forge.add_user(BOT, secrets.token_urlsafe(18), admin=True)
            kept["token"] = forge.add_token(BOT)
        address = f"http://{local_web(settings)}/hooks/gitea/{hook.id}"
        forge.add_default_webhook(address, hook.secrets[0])


def storage_table(storage: StorageOptions) -> dict[str, object]:
    """A storage as the table of the settings that it was read from."""
    return {
        "name": storage.name,
        "uuid": storage.uuid,
        "type": storage.type,
        "options": dict(storage.options),
        "env": {variable: str(path) for variable, path in storage.env},
        **({"repositories": list(storage.repositories)} if storage.repositories else {}),
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)


def local_web(settings: Settings) -> str:
    """Host and port at which this machine reaches the receiver."""
    return format_address(local_host(settings.web.host), settings.web.port)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
