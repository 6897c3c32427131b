"""The executor of ``tea-runner run``, by the setting ``run.executor``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.cli.run_locally import job_threads
from tea_runner.core.errors import SettingsError
from tea_runner.core.planning.job import Job
from tea_runner.executors.slurm_client import SlurmClient
from tea_runner.executors.slurm_executor import SlurmExecutor, SlurmTasks
from tea_runner.executors.slurm_request import request_options
from tea_runner.ports.executor import Executor

#: Folder for jobs of clusters, below the clone's ``.git``.
_JOBS = "tea-runner/jobs"
DASK = "dask://"


def choose_executor(session: OpenDataset, workers: int) -> Executor:
    """The executor that the settings name.

    :param workers: most jobs at once in this process.
    :raises SettingsError: when there is none of this name.
    """
    kind = session.context.settings.run.executor
    if kind == "local":
        return job_threads(session, workers)
    if kind == "slurm":
        return SlurmExecutor(slurm_tasks(session), jobs_folder(session))
    if kind.startswith(DASK):
        from tea_runner.executors.dask_executor import DaskExecutor

        words = command_on_nodes(session.context)
        address = "tcp://" + kind.removeprefix(DASK)
        return DaskExecutor(address, words, jobs_folder(session))
    raise SettingsError(
        f"run.executor: there is no {kind}; local, slurm and dask://HOST:PORT exist"
    )


def jobs_folder(session: OpenDataset) -> Path:
    """The folder below which jobs of clusters are kept, on storage that all nodes see."""
    return session.clone.clone.git_dir / _JOBS


def slurm_tasks(session: OpenDataset) -> SlurmTasks:
    """What submits jobs to Slurm, with the operator's options."""
    settings = session.context.settings
    return SlurmTasks(
        client=SlurmClient(session.context.variables),
        words=command_on_nodes(session.context),
        options=settings.slurm.options,
        most=settings.slurm.most_tasks,
        request=_request_of_job(session),
    )


def _request_of_job(session: OpenDataset) -> Callable[[Job], tuple[str, ...]]:
    def request(job: Job) -> tuple[str, ...]:
        return request_options(session.tip(job.commit).pipelines.by_name[job.pipeline])

    return request


def command_on_nodes(context: Context) -> Sequence[str]:
    """The command line of tea-runner on a node, in this dataset and with the settings of this call."""
    words = [*(context.settings.run.command or (sys.executable, "-m", "tea_runner"))]
    words += ["-C", str(context.directory.absolute())]
    if context.config is not None:
        words += ["--config", str(context.config.absolute())]
    for name, value in context.flags.items():
        words += ["-c", f"{name}={value}"]
    return words
