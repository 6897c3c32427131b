"""Enqueueing of the jobs that a pipeline's plan needs, in sets of datums."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import chain

from tea_runner.core.git.branch_results_scope import queue_namespace
from tea_runner.core.planning.job import Job, Throughput, batch_datums
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.planning.worker_requirement import Offered, need_of, unoffered
from tea_runner.core.resource_demand import demand_of
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_datums import input_bytes
from tea_runner.ports import Dataset, JobQueue


def enqueue_jobs(
    dataset: Dataset,
    queue: JobQueue,
    branch: str,
    planned: PlannedCommit,
    plan: PipelinePlan,
    *,
    scope: str,
    in_flight: Mapping[str, str],
    throughput: Callable[[str], Throughput | None],
) -> list[str]:
    """Enqueue what is not in flight, and subscribe the branch to what is.

    :param scope: of the branch.
    :param in_flight: of :func:`keys_in_flight`.
    :param throughput: of a pipeline's datums, where it is known.
    :returns: ids of all jobs that the pipeline waits for.
    :raises QueueError: when the queue does not answer.
    """
    ids = list(dict.fromkeys(in_flight.values()))
    for job_id in ids:
        queue.subscribe(dataset.name, branch, job_id)
    at_tip = job_at_tip(dataset.name, branch, planned, plan.pipeline.name, scope)
    labels = {decision.key: decision.label for decision in plan.to_run}
    pushed = planned.tip.tree.origin
    for job in queue.of_other_pushes(dataset.name, branch, ids, pushed):
        # A set of which the tip wants a part only stays whole, at the commit that wanted all of it.
        if job.scope == scope and all(key in labels for _, key in job.datums):
            datums = tuple((labels[key], key) for _, key in job.datums)
            moved = replace(at_tip, datums=datums, salt=job.salt, retry=job.retry)
            queue.move(moved, pushed)
    # By the id of the recompute request; the empty text for datums without a known result.
    by_request: dict[str, list[Decision]] = {}
    for decision in plan.to_run:
        if decision.key not in in_flight:
            request = planned.forced.get(decision.key, "")
            by_request.setdefault(request, []).append(decision)
    most = plan.pipeline.parallelism
    if most is not None:
        # Jobs in flight count.  The branch is planned again at each job's end, so that the rest
        # follows then.
        most = max(0, most - len(ids))
    limited = chain.from_iterable(by_request.values()) if plan.pipeline.datum_set_bytes else ()
    inputs = planned.works[plan.pipeline.name]
    sizes = input_bytes(planned.tip, inputs, (decision.label for decision in limited))
    sets = [
        (request, group)
        for request, decisions in sorted(by_request.items())
        for group in batch_datums(
            decisions,
            number=plan.pipeline.datum_set_number,
            most=most,
            throughput=throughput(plan.pipeline.name),
            size_bytes=plan.pipeline.datum_set_bytes,
            bytes_of=lambda decision: sizes[decision.label],
        )
    ]
    for request, group in sets:
        new = replace(
            at_tip,
            salt=request,
            datums=tuple((decision.label, decision.key) for decision in group),
        )
        job = queue.next_attempt(new)
        # Whoever may propose changes only does not precede what is trusted.
        queue.enqueue(job, pushed=pushed, priority=1 if scope else plan.pipeline.priority)
        ids.append(job.id)
    return ids


def job_at_tip(
    repository: str, branch: str, planned: PlannedCommit, pipeline: str, scope: str
) -> Job:
    """A job of a pipeline at the planned commit, without datums."""
    inputs = planned.works[pipeline]
    transform = inputs.pipeline.transform
    return Job(
        repository=repository,
        branch=branch,
        commit=planned.tip.tree.commit,
        pipeline=pipeline,
        datums=(),
        scope=scope,
        pins=tuple(sorted(planned.tip.tree.pins.items())),
        image=transform.image if transform.image_tag else "",
        needs=need_of(image=transform.image, file=inputs.image),
        demand=demand_of(inputs.pipeline),
        software=transform.software or "",
        variables=inputs.pipeline.given or (),
    )


def unoffered_job(planned: PlannedCommit, pipeline: str, offers: Collection[Offered]) -> str:
    """Why a pipeline's jobs would wait for a worker; empty where one offers what they need."""
    inputs = planned.works[pipeline]
    needs = need_of(image=inputs.pipeline.transform.image, file=inputs.image)
    return unoffered(needs, offers, demand_of(inputs.pipeline))


def keep_running_jobs(
    dataset: Dataset, queue: JobQueue, branch: str, in_flight: Mapping[str, str]
) -> list[str]:
    """Subscribe the branch to the jobs that run already, and enqueue nothing; returns their ids.

    :param in_flight: of :func:`keys_in_flight`.
    :raises QueueError: when the queue does not answer.
    """
    running = queue.running(list(dict.fromkeys(in_flight.values())))
    for job_id in running:
        queue.subscribe(dataset.name, branch, job_id)
    return sorted(running)


def keys_in_flight(
    dataset: Dataset, queue: JobQueue, planned: PlannedCommit, plan: PipelinePlan, scope: str
) -> dict[str, str]:
    """Keys to run with a live job, here or in a repository whose results count here, and the job's id.

    :raises QueueError: when the queue does not answer.
    """
    keys = [decision.key for decision in plan.to_run]
    found = dict(queue.in_flight(queue_namespace(dataset.name, scope), keys))
    for name in dataset.trusted_repositories:
        rest = [key for key in keys if key not in found and key not in planned.forced]
        if rest:
            found.update(queue.in_flight(queue_namespace(name, ""), rest))
    return found
