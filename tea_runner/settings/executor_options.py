"""Settings of executors: where the jobs of ``tea-runner run`` are carried out."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """tea-runner run."""

    executor: str = option(
        "local",
        "Where jobs are carried out. local: in this process (worker.count at once). slurm: as tasks of Slurm "
        "arrays. dask://HOST:PORT: as tasks of a Dask cluster. For the latter two, the nodes see the dataset "
        "at the same path.",
    )
    command: tuple[str, ...] = option(
        (),
        "Command line of tea-runner on the nodes of a cluster, without a verb; empty for the one of this "
        "process.",
    )


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """Slurm."""

    options: tuple[str, ...] = option(
        (),
        "Options of sbatch for all arrays, such as --partition=short or --account=lab. They come after those "
        "that tea-runner sets from the pipeline's resources.",
    )
    most_tasks: int = option(
        0, "Most tasks of an array that run at once; 0 for any number.", least=0
    )
    settle_options: tuple[str, ...] = option(
        (),
        "Options of sbatch for the job that commits the results of a detached run; they come after options.",
    )
    most_workers: int = option(
        10, "Most workers that tea-runner slurm has in Slurm at once.", least=1
    )
    worker_options: tuple[str, ...] = option(
        (), "Options of sbatch for the workers of tea-runner slurm; they come after options."
    )
    labels: tuple[str, ...] = option(
        (),
        "Labels that pipelines may ask for, each with an option of sbatch that its workers get: "
        "big=--partition=big. A label may have several; workers for other labels are not started.",
    )
    worker_name: str = option(
        "tea-worker",
        "Name in Slurm of the workers of tea-runner slurm; another server of the same user needs another.",
    )
    every: float = option(
        15.0, "Time between two looks of tea-runner slurm at the queue.", unit="seconds", least=1
    )
