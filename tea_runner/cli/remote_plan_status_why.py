"""``plan``, ``status``, ``why`` and ``lineage`` of a run, by a server's API (``--server``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tea_runner.core.errors import UsageError, UserError
from tea_runner.present.visible_text import visible

if TYPE_CHECKING:
    from tea_runner.cli.server_client import ServerClient


def ask(
    server: ServerClient,
    kind: str,
    words: Sequence[str],
    *,
    as_json: bool,
    downstream: bool = False,
) -> None:
    """Print what the server says.

    :param words: the run, commit or repository, then the verb's own words.
    :raises UsageError: without a run, or without what the verb needs.
    """
    needs = {"why": "DATUM|PATH", "lineage": "PATH"}.get(kind, "")
    if not words or (needs and len(words) < 2):
        usage = f"tea-runner --server URL {kind} RUN|COMMIT|OWNER/REPO {needs}".rstrip()
        raise UsageError("with --server, name the run first", hint=usage)
    found = server.get("find", name=words[0])
    if not found["run"]:
        raise UserError(f"{words[0]} is a job", hint="name its run")
    query: dict[str, object] = {}
    if kind == "why":
        query["name"] = " ".join(words[1:])
    elif kind == "lineage":
        query = {"path": words[1], "downstream": downstream}
    elif len(words) > 1:
        query["pipeline"] = list(words[1:])
    answer = server.get("runs", found["run"], kind, **query)
    if as_json:
        click.echo(json.dumps({"commit": answer["commit"], **answer["document"]}, indent=1))
        return
    for line in answer["lines"]:
        click.echo(visible(line))
