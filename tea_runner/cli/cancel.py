"""``tea-runner cancel``: cancel a job, or all jobs of a run."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.flow.cancel_retry_recompute import cancel_jobs
from tea_runner.host.operator_name import operator_name


@click.command("cancel")
@click.argument("name", metavar="RUN|JOB", shell_complete=complete_names.runs_or_jobs)
@json_option
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Cancel a job, or all jobs of a run.

    Results that are done are kept. To run the cancelled datums: tea-runner retry.
    """
    if context.server is not None:
        remote_runs.cancel(context.server, name, as_json=context.as_json)
        return
    site, by = context.site, operator_name()
    found = find_run(context, name)
    if isinstance(found, JobRecord):
        ids, run = [found.id], site.runs.run_of_job(found.id)
    else:
        ids, run = [job for pipeline in found.pipelines for job in pipeline.jobs], found.run
    ended = cancel_jobs(site, ids, run.id if run is not None else "", by)
    if context.as_json:
        click.echo(json.dumps(ended, indent=1))
        return
    if not ended["cancelled"] and not ended["stopping"]:
        click.echo(
            f"Nothing to cancel: {'the job has' if len(ids) == 1 else 'all jobs have'} ended."
        )
        return
    words = [
        f"{len(ended['cancelled'])} cancelled" if ended["cancelled"] else "",
        f"{len(ended['stopping'])} stopping" if ended["stopping"] else "",
        f"{len(ended['ended'])} already ended" if ended["ended"] else "",
    ]
    click.echo(", ".join(word for word in words if word))
