"""``tea-runner config``: settings with their sources, and a commented settings file."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import NotFound, UserError
from tea_runner.settings import settings_text


@click.group("config")
def command() -> None:
    """Show settings, or write a commented settings file."""


@command.command("show")
@click.argument("names", nargs=-1, shell_complete=complete_names.settings)
@click.option(
    "--set", "only_set", is_flag=True, help="Show only settings that are not at their default."
)
@json_option
@click.pass_obj
def show(context: Context, names: tuple[str, ...], only_set: bool) -> None:
    """Show every setting with its value and source.

    Secrets are masked. NAMES are settings (forge.url) or groups (forge).
    """
    rows = list(settings_text.show_settings(context.settings))
    known = [name for name, _, _ in rows]
    for name in names:
        if name not in known and not any(each.startswith(name + ".") for each in known):
            near = difflib.get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "tea-runner config show lists them"
            raise NotFound(f"there is no setting {name}", hint=hint)
    if names:
        rows = [
            row for row in rows if any(row[0] == n or row[0].startswith(n + ".") for n in names)
        ]
    if only_set:
        rows = [row for row in rows if row[2] != "default"]
    if context.as_json:
        # Each value is TOML that is JSON, too.
        found = [
            {"name": name, "value": json.loads(value), "source": source}
            for name, value, source in rows
        ]
        click.echo(json.dumps(found, indent=1))
        return
    for name, value, source in rows:
        click.echo(f"{name} = {value}  # {source}")


@command.command("generate")
def generate() -> None:
    """Print a commented settings file."""
    click.echo(settings_text.settings_file().rstrip("\n"))


@command.command("init")
@json_option
@click.pass_obj
def init(context: Context) -> None:
    """Write a commented settings file; an existing file is not overwritten."""
    path = settings_path(context)
    if path.exists():
        raise UserError(
            f"{path} exists", hint="edit it, or compare it with: tea-runner config generate"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings_text.settings_file(), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}", hint="use --config FILE"
        ) from error
    if context.as_json:
        click.echo(json.dumps({"written": [str(path)]}))
        return
    click.echo(f"write(ok): {path}")
    click.echo("Every setting in it is commented out; uncomment those you want to change.")


def settings_path(context: Context) -> Path:
    """The settings file that the command line, a variable or the default names; it may be missing."""
    if context.config is not None:
        return context.config
    variables = context.variables
    if variables.get("TEA_RUNNER_CONFIG"):
        return Path(variables["TEA_RUNNER_CONFIG"])
    folder = variables.get("XDG_CONFIG_HOME") or os.path.join(variables.get("HOME", "."), ".config")
    return Path(folder) / "tea-runner" / "tea-runner.toml"
