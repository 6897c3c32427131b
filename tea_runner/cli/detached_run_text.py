"""What ``tea-runner run --detach`` and ``tea-runner status`` tell of a detached run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tea_runner.cli.detached_run_check import detached_run_file, is_under_way
from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.core.errors import OutsideError
from tea_runner.executors.detached_slurm_run import DetachedRun
from tea_runner.executors.job_folder import JobFolder
from tea_runner.executors.slurm_client import SlurmClient


def submitted_lines(run: DetachedRun) -> list[str]:
    """What was submitted, and what to do next."""
    tasks = "1 task" if run.jobs == 1 else f"{run.jobs:,} tasks"
    arrays = ", ".join(run.arrays)
    return [
        f"submitted: {tasks} (Slurm {arrays}); job {run.settle} commits the results when they have ended",
        f"next: tea-runner status tells how far it is; scancel {' '.join(run.slurm_jobs)} ends it",
    ]


def attached_lines(run: DetachedRun) -> list[str]:
    """Why nothing was submitted."""
    return [
        f"attached: a detached run is under way (Slurm {', '.join(run.slurm_jobs)}); job {run.settle} plans "
        "this commit too, when the tasks have ended"
    ]


def detached_document(run: DetachedRun, *, state: str) -> dict[str, Any]:
    """The run as JSON.

    :param state: ``submitted``, ``attached``, ``running``, ``ended``, ``lost`` or ``unknown``.
    """
    return {
        "state": state,
        "branch": run.branch,
        "tasks": run.jobs,
        "ended_tasks": _ended(run),
        "slurm_jobs": list(run.slurm_jobs),
        "settle_job": run.settle,
        "failed_datums": len(run.failed),
        "exit_code": run.code,
        "error": run.error,
    }


def detached_status(session: OpenDataset) -> tuple[dict[str, Any] | None, str]:
    """The last detached run of a clone as JSON and as a line; None and nothing where there was none."""
    file = detached_run_file(session)
    run = file.read()
    if run is None:
        return None, ""
    if run.code is not None:
        line = ""
        if run.code:
            number = len(run.failed)
            why = run.error or f"{number:,} datum{'s' if number != 1 else ''} failed"
            line = f"detached run: ended with exit code {run.code}: {why}; log: {file.log}"
        return detached_document(run, state="ended"), line
    how_far = f"{_ended(run):,} of {run.jobs:,} tasks have ended"
    jobs = ", ".join(run.slurm_jobs)
    try:
        under_way = is_under_way(run, SlurmClient(session.context.variables))
    except OutsideError as error:
        line = f"detached run: {how_far} (Slurm {jobs}); {error.problem}"
        return detached_document(run, state="unknown"), line
    if under_way:
        line = f"detached run: {how_far} (Slurm {jobs}); job {run.settle} commits the results"
        return detached_document(run, state="running"), line
    line = (
        f"detached run: {how_far}, and job {run.settle} of Slurm, which was to commit the results, has "
        "ended without doing so; tea-runner run goes on with what was computed"
        + (f"; log: {file.log}" if file.log.exists() else "")
    )
    return detached_document(run, state="lost"), line


def _ended(run: DetachedRun) -> int:
    if not run.folder:
        return 0
    try:
        return len(JobFolder(Path(run.folder)).ended())
    except OutsideError:
        return 0
