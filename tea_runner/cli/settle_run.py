"""``tea-runner settle-run``: commit the results of a detached run, and submit what follows."""

from __future__ import annotations

import click

from tea_runner.cli.detached_run_text import submitted_lines
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.run import report_progress
from tea_runner.cli.submit_and_settle_slurm_run import settle_detached


@click.command("settle-run")
@click.pass_obj
def command(context: Context) -> int:
    """Commit the results of a detached run.

    The last job of tea-runner run --detach starts it in the dataset (-C). When the results make other
    pipelines ready, their jobs are submitted, with another job that settles them.
    """
    done = settle_detached(open_dataset(context))
    if done is None:
        click.echo("No round of a detached run waits for this job of Slurm.")
        return 0
    if done.run.code is None:
        click.echo("\n".join(submitted_lines(done.run)))
        return 0
    assert done.advance is not None
    report_progress(context, done.advance, [])
    return done.run.code
