"""``tea-runner show RUN --downstream``: the runs of other repositories that a push led to."""

from __future__ import annotations

import json

import click

from tea_runner.cli.find_runs import echo_visible, status_of
from tea_runner.cli.main import Context
from tea_runner.core.errors import UsageError
from tea_runner.core.planning.downstream_run_graph import cascade
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.present.json_documents import run_head
from tea_runner.present.pipeline_graph import Box, dag_text
from tea_runner.present.state_words import counts_text

#: Runs that are looked through.
_MOST = 2000


def show_downstream(context: Context, found: RunStatus | JobRecord) -> None:
    """Print the graph of the runs, or its data as JSON.

    :raises UsageError: of a job.
    """
    if isinstance(found, JobRecord):
        raise UsageError("--downstream is for runs", hint="tea-runner show JOB names its run")
    known = context.site.runs.recent(_MOST)
    below = cascade(found.run, known)
    rows = {run.id: status_of(context, run) for run in below.runs}
    if context.as_json:
        document = [
            {**run_head(rows[run.id]), "upstream": list(below.upstream[run.id])}
            for run in below.runs
        ]
        click.echo(json.dumps(document, indent=1))
        return
    names = {
        run.id: f"{run.repository} {run.branch} {run.commit[:10]} {run.id}" for run in below.runs
    }
    boxes = [
        Box(name=names[run.id], state=rows[run.id].state, note=counts_text(rows[run.id].numbers))
        for run in below.runs
    ]
    shown = {
        names[run.id]: [names[each] for each in below.upstream[run.id] if each in names]
        for run in below.runs
    }
    for line in dag_text(boxes, shown):
        echo_visible(line)
    if len(boxes) == 1:
        click.echo("it has led to no run of another repository", err=True)
