"""Protocols of the job queue: plan requests, jobs, and requests to recompute known results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict


class PlanRequests(Protocol):
    """Requests to plan a branch: many requests for one ref are one."""

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Ask that the tip of *ref* (``refs/heads/…``) of *repository* (``owner/name``) be planned.

        Returns within a second.

        :raises QueueError: when the request could not be kept.
        """
        ...


class MissingContent(NamedTuple):
    """Inputs of a datum had no content in any storage, as of this commit and annex tip."""

    commit: str
    #: Tip of the ``git-annex`` branch; empty when there was none.
    annex_tip: str
    sentence: str


class Failure(NamedTuple):
    """A datum failed for good."""

    sentence: str
    #: Where its outputs could not be stored, the attributes that were in force, without which it is true no
    #: longer: a digest, see :func:`tea_runner.flow.output_storage_digest.output_storage_digest`.
    attributes: str = ""
    #: Whether somebody cancelled it.
    is_cancelled: bool = False


class JobQueue(Protocol):
    """Jobs by the keys of their datums.

    *repository* is a queue namespace, see :func:`tea_runner.core.git.branch_results_scope.queue_namespace`.
    """

    def in_flight(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Those of the keys that a waiting or running job computes, with the job's id.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def failures(self, repository: str, keys: Sequence[str]) -> Mapping[str, Failure]:
        """Those of the keys that failed for good.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, MissingContent]:
        """Those of the keys whose inputs had no content.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def next_attempt(self, job: Job) -> Job:
        """The job with a number that no job with the same datums has that failed.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def enqueue(self, job: Job, *, pushed: str = "", priority: int = 1) -> bool:
        """Enqueue a job and subscribe its branch to its end.

        :param pushed: the commit that a person pushed and that its commit came from.
        :param priority: of its pipeline.
        :returns: whether it was new; False for a job that waits or runs already.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def of_other_pushes(
        self, repository: str, branch: str, jobs: Sequence[str], pushed: str
    ) -> Sequence[Job]:
        """Those of the jobs that wait, and that the branch may have moved to its tip.

        They were enqueued for another push to this branch, or for a branch of the same repository that
        does not wait for them any more.

        :param jobs: their ids.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def move(self, job: Job, pushed: str) -> bool:
        """Have a waiting job done at another commit, without a further pause.

        :param job: with the id of the waiting one.
        :returns: False when it does not wait any more; it stays as it was then.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def running(self, jobs: Sequence[str]) -> Collection[str]:
        """Those of the jobs that run.

        :param jobs: their ids.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Have the branch planned again when that job has ended.

        :param repository: ``owner/name``.
        :raises QueueError: when the queue does not answer.
        """
        ...


class PublicationCounts(Protocol):
    """How often each pipeline of one branch was published since a person changed something."""

    def of(self, inputs: str) -> Mapping[str, int]:
        """Pipelines to the number of their results commits.

        :param inputs: what people gave: with other inputs the count starts anew.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def add(self, inputs: str, pipeline: str) -> None:
        """Count one results commit.

        :raises QueueError: when the queue does not answer.
        """
        ...


class RecomputeRequests(Protocol):
    """Requests of people to compute known results of one branch again, and their verdicts."""

    def pending(self) -> Mapping[str, str]:
        """What to compute again: a key or a pipeline's name, to the id of the request.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def complete(self, words: Iterable[str]) -> None:
        """Remove these keys and names from the pending ones.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def record_verdicts(self, request: str, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Count verdicts in the ledger, once for each request.

        :param request: id of the request.
        :raises QueueError: when the queue does not answer.
        """
        ...

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """Unsubscribe the branch from all other jobs; those without subscribers are cancelled.

        :raises QueueError: when the queue does not answer.
        """
        ...

    def exclusive(self) -> AbstractContextManager[object]:
        """A lock under which no other branch enqueues jobs.

        With it, one key is not computed in two repositories at once.

        :raises QueueError: on entry, when the queue does not answer.
        """
        ...
