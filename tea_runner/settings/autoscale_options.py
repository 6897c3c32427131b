"""Settings of the autoscaler, which starts and stops hosts with workers."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.settings.option import option
from tea_runner.settings.worker_offer_options import OfferOptions


@dataclass(frozen=True, kw_only=True)
class AutoscaleOptions:
    """Hosts that `tea-runner autoscaler` starts and stops by the length of the queue."""

    start: tuple[str, ...] = option(
        (),
        "Command that starts a host with workers, as a list of words without a shell; {name} is the name "
        "of the host, which its workers must have as worker.host. It ends when the host is on its way.",
    )
    stop: tuple[str, ...] = option(
        (), "Command that stops the host {name}; also one that does not run any more is no error."
    )
    minimum: int = option(0, "Hosts that always run.", least=0)
    maximum: int = option(4, "Most hosts.", least=1)
    jobs: int = option(1, "Waiting and running jobs for which one host is enough.", least=1)
    idle: float = option(
        600.0, "Time without a job after which a host is stopped.", unit="seconds", least=0
    )
    boot: float = option(
        600.0,
        "Time after which a host whose workers are not heard of is stopped.",
        unit="seconds",
        least=1,
    )
    timeout: float = option(
        300.0, "Time after which a start or stop command is ended.", unit="seconds", least=1
    )
    every: float = option(10.0, "Interval of looking at the queue.", unit="seconds", least=0.1)
    offers: OfferOptions | None = option(
        None,
        "What such a host offers, as worker.offers: jobs that request more start none. Empty: all jobs "
        "without a graphics processor and without a label count.",
    )
