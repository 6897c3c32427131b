"""Settings of the workers on this host."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.settings.option import MEBI, option
from tea_runner.settings.worker_offer_options import OfferOptions


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Workers on this host."""

    count: int = option(
        2,
        "Number of workers that tea-runner up starts, and, if it is set, tea-runner worker; and of parallel "
        "jobs of tea-runner run. Without it, tea-runner worker starts one for each processor that "
        "worker.offers names.",
        least=1,
    )
    lease: float = option(
        45.0,
        "A job whose worker has not been heard of for this time is given to another worker.",
        unit="seconds",
        least=5,
    )
    grace: float = option(
        30.0, "Time that a stopping worker gives to its running job.", unit="seconds", least=0
    )
    crashes: int = option(
        3,
        "Number of worker losses after which a job fails; tea-runner retry runs it again.",
        least=1,
    )
    offers: OfferOptions | None = option(
        None,
        'What the workers of this host share, as a table: {cpus = 16, memory = "64G", disk = "1T", gpus = 1, '
        'gpu_type = "nvidia.com/gpu", labels = ["big"]}. What is left out is found on the machine; labels '
        "are names of the operator's that pipelines can require. Jobs run side by side while what they "
        "request fits.",
    )
    host: str = option(
        "",
        "Name of this host on pages and for the autoscaler. Empty: what the system calls it.",
    )
    priorities: tuple[str, ...] = option(
        (),
        "Repositories whose jobs are taken more often than those of others, each PATTERN=NUMBER (to 100): "
        "lab/urgent=4 has four turns while another one has one. The first that matches counts.",
    )
    limits: tuple[str, ...] = option(
        (),
        "Most running jobs, each PATTERN=NUMBER: of each repository (lab/big=4, */*=8), or of all "
        "repositories of each owner together (lab=10, *=20). The first of each that matches counts. All "
        "hosts need the same.",
    )
    free: int = option(
        256 * MEBI,
        "Minimum free space of the scratch folder; with less, a worker takes no job.",
        unit="bytes",
        least=0,
    )
