"""``tea-runner index``: the index of known results, counted or rebuilt from git."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.options import json_option
from tea_runner.dataset.dataset_base import GitDataset

_server = click.option("--server", is_flag=True, help="All repositories that this host processes.")


@click.group("index")
def command() -> None:
    """Show or rebuild the index of known results.

    The index only speeds up look-ups. It can be deleted at any time; it is rebuilt from git with the
    same content.
    """


@command.command("show")
@click.argument(
    "repositories", nargs=-1, metavar="[OWNER/NAME]...", shell_complete=complete_names.repositories
)
@_server
@json_option
@click.pass_obj
def show(context: Context, repositories: tuple[str, ...], server: bool) -> None:
    """Count the known results of this dataset, or of these repositories."""
    rows = []
    for repository in _opened(context, repositories, server=server):
        repository.index.update()
        rows.append(_row(repository))
    _tell(context, rows)


@command.command("rebuild")
@click.argument(
    "repositories", nargs=-1, metavar="[OWNER/NAME]...", shell_complete=complete_names.repositories
)
@_server
@json_option
@click.pass_obj
def rebuild(context: Context, repositories: tuple[str, ...], server: bool) -> None:
    """Rebuild the index from git."""
    rows = []
    for repository in _opened(context, repositories, server=server):
        repository.index.rebuild()
        rows.append(_row(repository))
    _tell(context, rows)


def _opened(context: Context, names: tuple[str, ...], *, server: bool) -> Iterator[GitDataset]:
    """The dataset of the current directory, or the named repositories, one after the other."""
    if not server and not names:
        clone = open_dataset(context).clone
        yield clone
        clone.close()
        return
    for name in names or context.site.watched():
        repository: GitDataset = context.site.repository(name)
        repository.refresh()
        yield repository
        repository.close()


def _row(repository: GitDataset) -> dict[str, object]:
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
        line = f"{row['repository']}: {row['results']} known results from {row['commits']} commits"
        if row["scopes"]:
            line += f", and {row['results_of_scopes']} on {row['scopes']} untrusted branches"
        click.echo(line)
    if not rows:
        click.echo(
            "No repository is processed here; add one with: tea-runner webhook add OWNER/REPO"
        )
