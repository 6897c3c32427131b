"""Whether a detached run of a clone is under way, so that no other run computes the same."""

from __future__ import annotations

from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.core.errors import UserError
from tea_runner.executors.detached_slurm_run import DetachedRun, DetachedRunFile
from tea_runner.executors.slurm_client import ENDED, SlurmClient


def detached_run_file(session: OpenDataset) -> DetachedRunFile:
    """The file about the detached run of a clone."""
    return DetachedRunFile(session.clone.clone.git_dir / "tea-runner/detached")


def is_under_way(run: DetachedRun, client: SlurmClient) -> bool:
    """Whether Slurm still has the job that settles a run.

    :raises OutsideError: when Slurm does not answer.
    """
    if run.code is not None:
        return False
    state = client.listed([run.settle]).get(run.settle, "")
    return bool(state) and state not in ENDED


def refuse_beside_detached(session: OpenDataset) -> None:
    """Check that no detached run of the clone is under way.

    :raises UserError: when one is.
    """
    run = detached_run_file(session).read()
    if run is None or run.code is not None:
        return
    if is_under_way(run, SlurmClient(session.context.variables)):
        raise already_under_way(run)


def already_under_way(run: DetachedRun) -> UserError:
    """The refusal of another run beside a detached one."""
    return UserError(
        f"a detached run of the branch {run.branch} is under way (Slurm {', '.join(run.slurm_jobs)})",
        hint="tea-runner status tells how far it is; it ends early with: scancel "
        + " ".join(run.slurm_jobs),
    )
