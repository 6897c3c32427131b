"""``tea-runner forge``: the embedded forge, a small git server for use without Gitea."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TextIO

import click

from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.embedded.accounts import Accounts

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="Folder of the repositories (default: forge in the state folder).",
)


@click.group("forge")
def command() -> None:
    """Start the embedded forge, or add its users."""


@command.command("serve")
@_ROOT
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--url", default="", metavar="URL", help="URL for clients, where it differs from host and port."
)
@click.pass_obj
def serve(context: Context, root: Path | None, host: str, port: int, url: str) -> None:
    """Start the embedded forge."""
    path = context.variables.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    forge = EmbeddedForge(_root(context, root), host, port, url=url, path=path)

    def stop(*_: object) -> None:
        # http.server must be shut down from another thread than its own.
        threading.Thread(target=forge.stop, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not context.quiet:
        click.echo(f"the forge listens on {forge.url}")
    forge.serve_forever()


@command.command("user")
@click.argument("name")
@_ROOT
@click.option("--admin", is_flag=True, help="Give write access to every repository (for the bot).")
@click.option("--token", is_flag=True, help="Print a token for git and the API.")
@click.option(
    "--password-file",
    type=click.File(),
    metavar="FILE",
    help="File with the password (- is standard input); without it, prompt.",
)
@json_option
@click.pass_obj
def user(
    context: Context,
    name: str,
    root: Path | None,
    admin: bool,
    token: bool,
    password_file: TextIO | None,
) -> None:
    """Add a user, or change a password."""
    accounts = Accounts(_root(context, root) / "accounts.json")
    if password_file is not None:
        password = password_file.read().strip()
    else:
        password = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    accounts.add(name, password, admin=admin)
    made = accounts.add_token(name) if token else ""
    if context.as_json:
        click.echo(json.dumps({"user": name, "token": made}))
    else:
        click.echo(made or f"user {name} was saved")


def _root(context: Context, root: Path | None) -> Path:
    return root if root is not None else context.settings.state / "forge"
