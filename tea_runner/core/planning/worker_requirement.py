"""What a job needs of its worker: the kind of environment in which its commands run, and resources.

Jobs with the same need and the same demand are of one class.  Each class has a queue of its own, and a
worker takes jobs from the queues of what it offers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from tea_runner.core.resource_demand import (
    ANY_AMOUNT,
    NO_DEMAND,
    OfferedResources,
    ResourceDemand,
    demand_text,
    missing,
    read_demand,
)

#: host: a command without an image; container: an image by name; apptainer: an image that is a file.
Need = Literal["host", "container", "apptainer"]
NEEDS: tuple[Need, ...] = get_args(Need)

#: Environments (setting ``environments``) to what they offer.
OF_ENVIRONMENT: dict[str, Need] = {
    "host": "host",
    "docker": "container",
    "podman": "container",
    "apptainer": "apptainer",
}
_WORDS: dict[Need, str] = {
    "host": "commands without an image (host)",
    "container": "docker or podman",
    "apptainer": "apptainer",
}
#: Characters of the text of a class; longer ones are not ours.
_LONGEST_CLASS = 2500


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerOffer:
    """What one worker offers."""

    needs: tuple[Need, ...]
    resources: OfferedResources


#: A need alone stands for a worker of a former version: it limits nothing, and has no label or GPU.
Offered = Need | WorkerOffer


def need_of(*, image: str, file: str) -> Need:
    """The need of a pipeline's jobs.

    :param image: its image; empty for none.
    :param file: path of that image in the dataset; empty for one by name.
    """
    if not image:
        return "host"
    return "apptainer" if file else "container"


def read_need(text: str) -> Need:
    """The need that a text names; ``host`` for any other, which another version may have written."""
    return next((need for need in NEEDS if need == text), "host")


def class_text(needs: Need, demand: ResourceDemand) -> str:
    """The class of a job as text, such as ``host`` or ``container,cpu=4,gpu=1``."""
    return f"{needs},{demand_text(demand)}" if demand else needs


def read_class(text: str) -> tuple[Need, ResourceDemand]:
    """Need and demand in a text of :func:`class_text`; ``host`` without a demand for any other text."""
    needs, _, demand = text[:_LONGEST_CLASS].partition(",")
    try:
        return read_need(needs), read_demand(demand)
    except ValueError:
        return read_need(needs), NO_DEMAND


def offered_by(needs: Collection[Need], resources: OfferedResources | None) -> frozenset[Offered]:
    """What one worker offers; nothing without a need that it can do."""
    if resources is None:
        return frozenset(needs)
    return frozenset([WorkerOffer(needs=tuple(needs), resources=resources)] if needs else ())


def offered_needs(offers: Collection[Offered]) -> frozenset[Need]:
    """The needs that some worker offers."""
    return frozenset(need for need, _ in _pairs(offers))


def unoffered(need: Need, offers: Collection[Offered], demand: ResourceDemand = NO_DEMAND) -> str:
    """Why jobs of this class wait for a worker; empty where one offers it.

    :param offers: what the workers that run offer.
    """
    if not offers:
        return "no worker runs"
    able = [resources for each, resources in _pairs(offers) if each == need]
    if not able:
        return f"no worker offers {_WORDS[need]}"
    # Of the worker that lacks the least.
    lacking = min(
        (missing(demand, resources) for resources in able), key=lambda row: (len(row), row)
    )
    return f"no worker offers {', '.join(lacking)}" if lacking else ""


def unoffered_class(worker_class: str, offers: Collection[Offered]) -> str:
    """:func:`unoffered` of the class in a text."""
    need, demand = read_class(worker_class)
    return unoffered(need, offers, demand)


def _pairs(offers: Collection[Offered]) -> Iterator[tuple[Need, OfferedResources]]:
    for each in offers:
        if isinstance(each, WorkerOffer):
            yield from ((need, each.resources) for need in each.needs)
        else:
            yield each, ANY_AMOUNT
