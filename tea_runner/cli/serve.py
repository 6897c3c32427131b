"""``tea-runner serve``: the receiver of webhooks and the pages, under gunicorn."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys

import click

from tea_runner.cli.main import Context
from tea_runner.cli.start_checks import require_port, require_queue
from tea_runner.web.gunicorn_config import OPEN_FILES, arguments
from tea_runner.web.gunicorn_log import FORMAT_VARIABLE
from tea_runner.web.gunicorn_server import START
from tea_runner.web.wsgi import FLAGS


@click.command("serve")
@click.option(
    "--only",
    type=click.Choice(["hooks", "pages"]),
    help="Serve webhooks or pages only, so that each has processes and a port of its own.",
)
@click.pass_obj
def command(context: Context, only: str | None) -> None:
    """Start the receiver of webhooks and the pages.

    Planner, reconciler and workers are processes of their own; tea-runner up starts all of them.
    """
    require_port(context)
    require_queue(context)
    options = {
        "config": str(context.config) if context.config else None,
        "only": only,
        "flags": {name: str(value) for name, value in context.flags.items()},
    }
    env = {
        **context.variables,
        FLAGS: json.dumps(options),
        FORMAT_VARIABLE: context.settings.log.format,
    }
    _allow_open_files(OPEN_FILES)
    # gunicorn would take the variable for the path of the application.
    env.pop("SCRIPT_NAME", None)
    argv = [sys.executable, *START, *arguments(context.settings)]
    os.execve(sys.executable, argv, env)  # noqa: S606 - this process becomes gunicorn


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit of open files, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
