"""Processors, memory, graphics processors, disk and labels: what a job demands, and what a worker offers.

A worker reserves what a job demands before it runs it, so that the jobs that run side by side fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tea_runner.core.pipeline import Pipeline, Resources

#: Graphics processors of a pipeline file that names no type, and of a worker that says nothing else.
GPU_TYPE = "nvidia.com/gpu"
#: Labels and types of graphics processors, as Kubernetes allows them; ``=`` divides a key from a value.
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/=-]{0,126}[A-Za-z0-9])?")
_NUMBERS = ("cpu", "memory", "disk", "gpu")
_MOST_LABELS = 16
_LARGEST = 1 << 60


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceDemand:
    """What is reserved for one job; the default reserves nothing.  Memory and disk are in bytes."""

    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    gpu: int = 0
    #: Empty for any type.
    gpu_type: str = ""
    #: That its worker must have, sorted.
    labels: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether something is demanded."""
        return self != NO_DEMAND


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferedResources:
    """What the workers of one host share; None for any amount.  Memory and disk are in bytes."""

    cpus: float | None = None
    memory: int | None = None
    disk: int | None = None
    gpus: int = 0
    gpu_type: str = GPU_TYPE
    #: Sorted.
    labels: tuple[str, ...] = ()


NO_DEMAND = ResourceDemand()
#: Of a worker that limits nothing but has neither graphics processors nor labels.
ANY_AMOUNT = OfferedResources()


def demand_of(pipeline: Pipeline) -> ResourceDemand:
    """What a job of a pipeline demands: its requests, or else its limits, as in Kubernetes."""
    requests, limits = pipeline.requests, pipeline.limits
    gpu = requests if requests.gpu_number else limits
    return ResourceDemand(
        cpu=requests.cpu or limits.cpu or 0.0,
        memory=requests.memory or limits.memory or 0,
        disk=requests.disk or limits.disk or 0,
        gpu=gpu.gpu_number,
        gpu_type=_gpu_type(gpu),
        labels=pipeline.worker_labels,
    )


def _gpu_type(resources: Resources) -> str:
    return resources.gpu_type if resources.gpu_number and resources.gpu_type != GPU_TYPE else ""


def demand_text(demand: ResourceDemand) -> str:
    """The demand as text, such as ``cpu=4,gpu=1,label=big``; the same for equal demands."""
    parts = [f"{name}={getattr(demand, name):.15g}" for name in _NUMBERS if getattr(demand, name)]
    parts += [f"gpu-type={demand.gpu_type}"] if demand.gpu_type else []
    return ",".join([*parts, *(f"label={label}" for label in demand.labels)])


def read_demand(text: str) -> ResourceDemand:
    """The demand in a text of :func:`demand_text`.

    :raises ValueError: for anything else.
    """
    numbers: dict[str, float] = {}
    labels, gpu_type = [], ""
    for part in text.split(",") if text else ():
        name, _, value = part.partition("=")
        if name in _NUMBERS and re.fullmatch(r"[0-9][0-9.e+-]{0,30}", value):
            numbers[name] = float(value)
        elif name == "label" and NAME.fullmatch(value):
            labels.append(value)
        elif name == "gpu-type" and NAME.fullmatch(value):
            gpu_type = value
        else:
            raise ValueError(f"{part[:40]!r} is no part of a demand")
    if len(labels) > _MOST_LABELS or any(not 0 <= each < _LARGEST for each in numbers.values()):
        raise ValueError("a demand beyond all bounds")
    whole = {name: int(numbers.get(name, 0)) for name in ("memory", "disk", "gpu")}
    return ResourceDemand(
        cpu=numbers.get("cpu", 0.0), gpu_type=gpu_type, labels=tuple(sorted(labels)), **whole
    )


def read_offered(row: object) -> OfferedResources | None:
    """What a row of JSON offers; None for none.

    :raises ValueError: for a row with nonsense in it.
    :raises TypeError: as well.
    """
    if not isinstance(row, dict):
        return None
    numbers = {name: row.get(name) for name in ("cpus", "memory", "disk")}
    known = {name: min(float(each), _LARGEST) for name, each in numbers.items() if each is not None}
    labels = tuple(str(each)[:128] for each in row.get("labels", ())[:100])
    return OfferedResources(
        cpus=known.get("cpus"),
        memory=int(known["memory"]) if "memory" in known else None,
        disk=int(known["disk"]) if "disk" in known else None,
        gpus=min(int(row.get("gpus", 0)), 1000),
        gpu_type=str(row.get("gpu_type", GPU_TYPE))[:128],
        labels=labels,
    )


def offered_words(offered: OfferedResources) -> str:
    """What a host offers, in words."""
    words = [] if offered.cpus is None else [f"{offered.cpus:g} cpus"]
    words += [] if offered.memory is None else [f"{size_words(offered.memory)} of memory"]
    words += [f"{offered.gpus} gpus"] if offered.gpus else []
    return ", ".join([*words, *offered.labels])


def missing(demand: ResourceDemand, offered: OfferedResources) -> tuple[str, ...]:
    """What a worker lacks for a job, in words; empty where the job fits."""
    found = []
    if offered.cpus is not None and demand.cpu > offered.cpus:
        found.append(f"{demand.cpu:g} cpus ({offered.cpus:g} at most)")
    for name in ("memory", "disk"):
        wanted, most = getattr(demand, name), getattr(offered, name)
        if most is not None and wanted > most:
            found.append(f"{size_words(wanted)} of {name} ({size_words(most)} at most)")
    if demand.gpu > offered.gpus:
        many = f"{demand.gpu} gpus ({offered.gpus} at most)"
        found.append("gpu" if not offered.gpus else many)
    elif demand.gpu and demand.gpu_type not in ("", offered.gpu_type):
        found.append(f"gpu of type {demand.gpu_type}")
    found += [f"label {label}" for label in demand.labels if label not in offered.labels]
    return tuple(found)


def capped(demand: ResourceDemand, offered: OfferedResources) -> ResourceDemand:
    """The demand of a job that has this machine for itself: amounts that it exceeds are all there is.

    A person who runs a pipeline of a larger machine on a laptop wants it to run; labels name workers.
    """
    return ResourceDemand(
        cpu=_least(demand.cpu, offered.cpus),
        memory=int(_least(demand.memory, offered.memory)),
        disk=int(_least(demand.disk, offered.disk)),
        gpu=demand.gpu,
        gpu_type=demand.gpu_type,
    )


def _least(wanted: float, most: float | None) -> float:
    return wanted if most is None else min(wanted, most)


def size_words(number: float) -> str:
    """Bytes as text, such as ``64 GiB``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number:g} bytes"
