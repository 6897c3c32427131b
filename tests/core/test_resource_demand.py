"""What jobs demand and workers offer: as text, compared, and in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tea_runner.core.pipeline import Pfs, Pipeline, Resources, Transform
from tea_runner.core.planning.job import seal_job, unseal_job
from tea_runner.core.planning.worker_requirement import (
    WorkerOffer,
    class_text,
    read_class,
    unoffered,
)
from tea_runner.core.resource_demand import (
    OfferedResources,
    ResourceDemand,
    capped,
    demand_of,
    demand_text,
    missing,
    read_demand,
)
from tests.looking import make_job

_GIB = 1 << 30


def _pipeline(requests: Resources, limits: Resources) -> Pipeline:
    return Pipeline(
        name="p",
        home="p",
        spec_path="p/spec.yml",
        transform=Transform(cmd=("true",)),
        input=Pfs(name="in", repo="in"),
        requests=requests,
        limits=limits,
    )


def test_what_is_not_requested_is_demanded_as_far_as_it_is_limited() -> None:
    """As in Kubernetes: a limit alone is a request, too."""
    found = demand_of(
        _pipeline(Resources(memory=_GIB), Resources(memory=4 * _GIB, cpu=2, gpu_number=1))
    )
    assert ResourceDemand(memory=_GIB, cpu=2, gpu=1) == found
    assert not demand_of(_pipeline(Resources(), Resources()))


def test_a_demand_is_the_same_after_its_text() -> None:
    """Also in a class, and in a sealed job; a job without one is as former workers know it."""
    demand = ResourceDemand(
        cpu=0.5, memory=3 * _GIB, gpu=2, gpu_type="amd.com/gpu", labels=("big", "disk=ssd")
    )
    assert demand == read_demand(demand_text(demand))
    assert ("container", demand) == read_class(class_text("container", demand))
    job = replace(make_job(1), demand=demand)
    assert job == unseal_job(seal_job(job, b"key"), b"key")
    assert "demand" not in seal_job(make_job(1), b"key")


@pytest.mark.parametrize(
    "text", ["cpu=x", "cpu=1e300", "label=", "label=a,b", "x=1", "gpu=-1", "\n"]
)
def test_nonsense_is_no_demand(text: str) -> None:
    """Redis may hold anything: such a class is that of jobs without a demand."""
    with pytest.raises(ValueError, match=r"."):
        read_demand(text)
    assert ("host", ResourceDemand()) == read_class(f"host,{text}")


def test_a_worker_that_lacks_something_is_told_in_words() -> None:
    """Each thing that is missing, with the most that there is."""
    offered = OfferedResources(cpus=16, memory=32 * _GIB, gpus=1, labels=("big",))
    demand = ResourceDemand(cpu=17, memory=64 * _GIB, gpu=2, labels=("big", "fast"))
    assert (
        "17 cpus (16 at most)",
        "64 GiB of memory (32 GiB at most)",
        "2 gpus (1 at most)",
        "label fast",
    ) == missing(demand, offered)
    assert ("gpu",) == missing(ResourceDemand(gpu=1), OfferedResources())
    assert ("gpu of type amd.com/gpu",) == missing(
        ResourceDemand(gpu=1, gpu_type="amd.com/gpu"), offered
    )


def test_of_several_workers_the_one_that_lacks_least_is_named() -> None:
    """A worker that can do the job is enough, and one with another environment says nothing."""
    small = WorkerOffer(needs=("host",), resources=OfferedResources(cpus=2, memory=_GIB))
    big = WorkerOffer(needs=("container",), resources=OfferedResources(cpus=64, gpus=8))
    demand = ResourceDemand(cpu=4, gpu=1)
    assert "no worker offers 4 cpus (2 at most), gpu" == unoffered("host", [small, big], demand)
    assert "" == unoffered("container", [small, big], demand)
    assert "no worker offers gpu" == unoffered("host", ["host"], ResourceDemand(gpu=1))
    assert "no worker runs" == unoffered("host", [], demand)


def test_a_machine_for_oneself_gives_all_that_it_has() -> None:
    """But it has no graphics processor that it lacks."""
    offered = OfferedResources(cpus=2, memory=_GIB)
    demand = capped(ResourceDemand(cpu=8, memory=9 * _GIB, gpu=1, labels=("big",)), offered)
    assert ResourceDemand(cpu=2, memory=_GIB, gpu=1) == demand
