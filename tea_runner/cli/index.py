"""``tea-runner index``: what is known of results, counted; and made again from git."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.options import json_option
from tea_runner.dataset.forge_dataset import ForgeDataset

_server = click.option(
    "--server", is_flag=True, help="Those of the repositories that this host looks after."
)


@click.group("index")
def command() -> None:
    """Look at the index of known results, or make it again.

    It only makes looking up fast: it can be deleted at any time, and is made again from git with the
    same answers.
    """


@command.command("show")
@click.argument("repositories", nargs=-1, metavar="[OWNER/NAME]...")
@_server
@json_option
@click.pass_obj
def show(context: Context, repositories: tuple[str, ...], server: bool) -> None:
    """Count the results that are known here, or in the mirrors of these repositories."""
    rows = []
    for repository in _opened(context, repositories, server=server):
        repository.index.learn()
        rows.append(_row(repository))
    _tell(context, rows)


@command.command("rebuild")
@click.argument("repositories", nargs=-1, metavar="[OWNER/NAME]...")
@_server
@json_option
@click.pass_obj
def rebuild(context: Context, repositories: tuple[str, ...], server: bool) -> None:
    """Delete the index and make it again from git; the answers are the same."""
    rows = []
    for repository in _opened(context, repositories, server=server):
        repository.index.rebuild()
        rows.append(_row(repository))
    _tell(context, rows)


def _opened(context: Context, names: tuple[str, ...], *, server: bool) -> Iterator[ForgeDataset]:
    """The dataset here, or the mirrors that are meant, one after the other."""
    if not server and not names:
        clone = open_dataset(context).clone
        yield clone
        clone.close()
        return
    for name in names or context.site.watched():
        repository: ForgeDataset = context.site.repository(name)
        repository.refresh()
        yield repository
        repository.close()


def _row(repository: ForgeDataset) -> dict[str, object]:
    counts = repository.index.counts()
    others = sum((count for scope, count in counts.items() if scope), Counter[str]())
    return {
        "repository": repository.name,
        "results": counts.get("", Counter())["results"],
        "commits": counts.get("", Counter())["commits"],
        "scopes": len([scope for scope in counts if scope]),
        "results_of_scopes": others["results"],
        "file": str(repository.index.path),
    }


def _tell(context: Context, rows: list[dict[str, object]]) -> None:
    if context.as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        line = f"{row['repository']}: {row['results']} results known from {row['commits']} commits"
        if row["scopes"]:
            line += (
                f", and {row['results_of_scopes']} on {row['scopes']} branches that are not trusted"
            )
        click.echo(line)
    if not rows:
        click.echo("No repository is looked after here; tea-runner hook add adds one.")
