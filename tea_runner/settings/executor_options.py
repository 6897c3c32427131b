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
