"""Approvals and pauses by a server's API (``--server``)."""

from __future__ import annotations

import json
from typing import Any

import click

from tea_runner.cli.server_client import ServerClient
from tea_runner.core.errors import UserError
from tea_runner.present.visible_text import visible


def approve(server: ServerClient, name: str, *, as_json: bool) -> None:
    """``approve``."""
    found = server.get("find", name=name)
    if not found["run"]:
        raise UserError(f"{name} is a job", hint="name its run")
    document = server.post("runs", found["run"], "approve")
    _print(document, f"run {found['run']} of {document['repository']} is approved", as_json)


def order(
    server: ServerClient, kind: str, repository: str, pipeline: str, *, as_json: bool
) -> None:
    """``pause`` or ``resume``."""
    if repository:
        owner, _, name = repository.partition("/")
        path, body = ("repositories", owner, name, kind), {"pipeline": pipeline}
        document = server.post(*path, body=body)
    else:
        document = server.post(kind)
    _print(document, f"{document['place']} is {kind}d", as_json)


def list_pauses(server: ServerClient, *, as_json: bool) -> None:
    """``pause --list``."""
    rows = server.get("pauses")["pauses"]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(visible(f"{row['place']}  by {row['by']}  {row['at']}"))
    if not rows:
        click.echo("Nothing is paused.")


def _print(document: dict[str, Any], sentence: str, as_json: bool) -> None:
    click.echo(json.dumps(document, indent=1) if as_json else visible(sentence))
