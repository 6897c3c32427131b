"""Completion of pipelines, datums, runs, jobs, repositories and settings, for arguments of verbs.

A shell asks at each key, so nothing is imported before it is needed, and an error completes nothing.
Costs: pipelines read the pipeline files of the last commit, datums list the inputs, runs are one read of
the latest runs in Redis or one request to the server of ``--server``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import click
from click.shell_completion import CompletionItem

from tea_runner.cli.main import Context

#: Runs that are looked at, and names that a shell gets.
_RUNS, _MOST = 50, 500

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Names = Callable[[Context], Iterable[tuple[str, str]]]


def _complete(*sources: Names) -> Complete:
    """A completion from functions that give names with a word about each."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        value = ctx.params.get(param.name or "")
        typed = value if isinstance(value, tuple | list) else ()
        found: dict[str, str] = {}
        for source in sources:
            try:
                rows = source(_context(ctx))
                found.update(islice((row for row in rows if row[0].startswith(incomplete)), _MOST))
            except Exception:  # noqa: S112 - a shell shows no errors between two keys
                continue
        return [
            CompletionItem(name, help=word) for name, word in found.items() if name not in typed
        ]

    return complete


def _context(ctx: click.Context) -> Context:
    """The options before the verb: completion calls no function of a verb, so nobody has made it."""
    given = ctx.find_root().params
    pairs = (flag.partition("=") for flag in given.get("flags") or ())
    return Context(
        directory=given["directory"],
        config=given["config"],
        flags={name: value for name, _, value in pairs},
        variables=dict(os.environ),
        quiet=True,
        server_url=given.get("server") or "",
    )


def _pipelines(context: Context) -> Iterator[tuple[str, str]]:
    from tea_runner.cli.open_dataset import open_dataset

    for pipeline in open_dataset(context).tip().pipelines:
        yield pipeline.name, pipeline.description or "pipeline"


def _datums(context: Context) -> Iterator[tuple[str, str]]:
    from tea_runner.cli.open_dataset import open_dataset
    from tea_runner.core.datums.datum import shown_label
    from tea_runner.core.errors import UserError
    from tea_runner.flow.pipeline_datums import derive_inputs

    tip = open_dataset(context).results_tip()
    for pipeline in tip.pipelines:
        try:
            for item in derive_inputs(tip, pipeline).keyed:
                yield shown_label(item.label), f"datum of {pipeline.name}"
        except UserError:
            continue


def _runs(context: Context) -> Iterator[tuple[str, str]]:
    if context.server is not None:
        for row in context.server.get("runs", per_page=_RUNS)["runs"]:
            yield row["id"], f"{row['repository']} {row['title']}"
        return
    for run in context.site.runs.recent(_RUNS):
        yield run.id, f"{run.repository} {run.title}"


def _jobs(context: Context) -> Iterator[tuple[str, str]]:
    """Jobs of the latest runs, and those that failed in ``tea-runner run`` here."""
    from tea_runner.cli.local_logs import local_logs

    for log in local_logs(context.site.state_folder):
        yield log.id, f"failed job of {log.pipeline or 'a run here'}"
    if context.server is None:
        for head in context.site.runs.recent(_RUNS // 10):
            run = context.site.runs.get(head.id)
            for row in run.pipelines if run else ():
                for job in row.jobs:
                    yield job, f"job of {row.name}"


def _repositories(context: Context) -> Iterator[tuple[str, str]]:
    if context.server is not None:
        for row in context.server.get("repositories")["repositories"]:
            yield row["name"], "repository"
        return
    for name in (*context.site.runs.repositories(), *context.settings.repositories):
        yield name, "repository"


def _settings(context: Context) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    from tea_runner.settings.load import known

    for option in known():
        yield option.name, "setting"


def _settings_to_set(context: Context) -> Iterator[tuple[str, str]]:
    for name, word in _settings(context):
        yield f"{name}=", word


pipelines = _complete(_pipelines)
datums = _complete(_datums)
pipelines_or_datums = _complete(_pipelines, _datums)
runs = _complete(_runs)
runs_or_jobs = _complete(_runs, _jobs)
runs_or_repositories = _complete(_runs, _repositories)
repositories = _complete(_repositories)
logs = _complete(_runs, _jobs, _datums)
datums_or_jobs = _complete(_datums, _jobs)
settings = _complete(_settings)
settings_to_set = _complete(_settings_to_set)


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Files of the folder, which shells list themselves."""
    return [CompletionItem(incomplete, type="file")]


def files_or_datums(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Datums, and files."""
    return files(ctx, param, incomplete) + datums(ctx, param, incomplete)
