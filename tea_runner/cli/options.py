"""Options that several verbs share."""

from __future__ import annotations

from dataclasses import replace

import click

from tea_runner.cli.main import Context


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj = replace(ctx.ensure_object(Context), as_json=True)


#: ``tea-runner lint --json`` means the same as ``tea-runner --json lint``.
json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_set_json,
    help="Print results as JSON.",
)
at_option = click.option(
    "--at", default="HEAD", metavar="COMMIT", help="Use this commit instead of HEAD."
)

unsaved_option = click.option(
    "--unsaved", is_flag=True, help="Look at the folder as it is now, not at the last commit."
)
