"""``tea-runner run-job``: carry out one job of ``tea-runner run --executor`` on a node of a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.run_locally import new_job_runner
from tea_runner.core.errors import OutsideError
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.executors.job_folder import JobFolder
from workers.local_thread_executor import run_one_job


@click.command("run-job")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("number", type=click.IntRange(0))
@click.pass_obj
def command(context: Context, folder: Path, number: int) -> int:
    """Carry out one job of a run on a node of a cluster.

    Executors start it in the dataset (-C), whose folder this node sees at the same path. The results go
    into the clone, and the outcome into FOLDER, where tea-runner run waits for it.
    """
    jobs = JobFolder(folder.absolute())
    job = jobs.job(number)
    session = open_dataset(context)
    runner = new_job_runner(session)
    try:
        # A run that ends removes the folder, and its jobs end.
        outcome = run_one_job(
            runner, job, context.settings.log.max_bytes, lambda: not jobs.path.is_dir()
        )
    except OutsideError as error:
        outcome = JobOutcome(error=error)
    finally:
        runner.close()
    jobs.write_outcome(number, outcome)
    return 1 if outcome.failures or outcome.error else 0
