"""Consistency of queues: live jobs and plan requests in no queue, and branches that were not planned.

Workers die between two commands, Redis is restored from an old copy, single keys are lost.  Each method
finds one kind of contradiction.  It costs commands for live jobs, waiting plan requests and the
branches asked about, however much else Redis holds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_index import JobIndex
from tea_runner.broker.job_scripts import REPLAN_FAILED_COMMIT_STATUSES
from tea_runner.broker.rq_queues import Queues
from tea_runner.core.planning.worker_requirement import class_text, read_class


@raises_queue_error
class QueueConsistency:
    """Finds what was lost.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis, queues: Queues) -> None:
        self._redis = connection
        self._queues = queues
        self._index = JobIndex(connection)
        self._replan = connection.register_script(REPLAN_FAILED_COMMIT_STATUSES)

    def jobs(self) -> dict[str, str]:
        """Ids of jobs that no worker has and no queue holds although they are due, with the reason."""
        self._index.rebuild()
        due, lines = self._due(self._index.live())
        if not due:
            return {}
        in_line = self._queues.in_line(lines)
        lost = [job for job in due if job not in in_line]
        by_class: dict[str, list[str]] = defaultdict(list)
        held = self._queues.held(sorted({lines[job] for job in in_line}))
        for job in in_line:
            if lines[job] not in held:
                by_class[lines[job][0]].append(job)
        queued: set[str] | None = None
        for worker_class, waiting in by_class.items():
            # Each job in line is reached by an item, which need not name it.
            lacking = len(waiting) - self._queues.length_of(worker_class)
            if lacking > 0:
                queued = self._queues.queued("job") if queued is None else queued
                lost += sorted(waiting, key=queued.__contains__)[:lacking]
        return {job: due[job] for job in lost}

    def _due(self, ids: list[str]) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
        """Ids of jobs that a worker should have, with the reason; and with class and repository."""
        now: Any = self._redis.time()
        due: dict[str, str] = {}
        lines: dict[str, tuple[str, str]] = {}
        ended = []
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            pipe = self._redis.pipeline(transaction=False)
            for job in chunk:
                pipe.hmget(redis_keys.job(job), "state", "after", "needs", "repository")
                pipe.exists(redis_keys.lease(job))
            answers: Any = pipe.execute()
            for job, fields, lease in zip(chunk, answers[::2], answers[1::2], strict=True):
                state, after, needs, repository = fields
                lines[job] = (class_text(*read_class(_text(needs))), _text(repository))
                if state == b"running" and not lease:
                    due[job] = "its worker is silent"
                elif state == b"waiting" and _seconds(after) <= int(now[0]):
                    due[job] = "it was in no queue"
                elif state not in (b"running", b"waiting"):
                    ended.append(job)
        if ended:
            self._index.check(ended)
        return due, {job: lines[job] for job in due}

    def requests(self) -> list[tuple[str, str]]:
        """(repository, branch) of plan requests that are in no queue."""
        requested: Any = self._redis.hkeys(redis_keys.plan_requests())
        if not requested:
            return []
        queued = self._queues.queued("plan")
        missing = [
            name for name in requested if json.dumps(redis_keys.split_branch_id(name)) not in queued
        ]
        # A planner that took the request meanwhile took its mark as well.
        marks: Any = self._redis.hmget(redis_keys.plan_requests(), missing) if missing else []
        return [
            redis_keys.split_branch_id(name)
            for name, mark in zip(missing, marks, strict=True)
            if mark is not None
        ]

    def pending(self, repository: str, branch: str) -> set[str]:
        """Ids of the jobs that a branch waits for."""
        raw: Any = self._redis.smembers(
            redis_keys.pending(redis_keys.branch_id(repository, branch))
        )
        return {job.decode("utf-8", "replace") for job in raw}

    def enqueue(self, kind: str, argument: str) -> None:
        """Put a lost job or request into its queue again."""
        self._queues.enqueue(kind, argument)

    def unplanned(
        self, repository: str, tips: Mapping[str, str], branches: Iterable[str]
    ) -> dict[str, str]:
        """Those of the branches that were not planned completely, with the reason.

        :param tips: of all branches on the forge, ``git-annex`` too.
        """
        annex = tips.get("git-annex", "")
        found = {}
        for branch in branches:
            reason = self._reason(repository, branch, tips[branch], annex)
            if reason:
                found[branch] = reason
        return found

    def _reason(self, repository: str, branch: str, tip: str, annex: str) -> str:
        name = redis_keys.branch_id(repository, branch)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hexists(redis_keys.plan_requests(), name)
        pipe.exists(redis_keys.plan_lock(name))
        pipe.smembers(redis_keys.pending(name))
        pipe.hget(redis_keys.planned(repository), branch)
        pipe.hget(redis_keys.missing_content(), name)
        requested, locked, pending, planned, missing_at = pipe.execute()
        if requested or locked:
            return ""
        ended = self._index.check(job.decode("utf-8", "replace") for job in pending)
        if ended:
            # Together, so that a reconciler that dies now leaves a branch that was not planned.
            pipe = self._redis.pipeline(transaction=True)
            pipe.srem(redis_keys.pending(name), *ended)
            pipe.hdel(redis_keys.planned(repository), branch)
            pipe.execute()
            return f"{len(ended)} of its jobs were lost"
        if pending:
            return ""
        if planned != tip.encode():
            return f"{tip[:12]} was not planned"
        if missing_at is not None:
            if annex not in _annex_tips(missing_at):
                return "its git-annex branch moved, so content may have come"
            if not self._redis.exists(redis_keys.any_missing(repository)):
                return "content that was missing may have come by now"
        return ""

    def replan_failed_commit_statuses(self, number: int) -> list[tuple[str, str]]:
        """Request plans of some branches with statuses that the forge did not accept.

        :returns: (repository, branch) of each.
        """
        answer: Any = self._replan(
            keys=[redis_keys.failed_commit_statuses(), redis_keys.plan_requests()],
            args=[number, "reconciler"],
        )
        branches, new = answer
        for branch in new:
            self._queues.enqueue("plan", json.dumps(redis_keys.split_branch_id(branch)))
        return [redis_keys.split_branch_id(branch) for branch in branches]

    def forget(self, repository: str, tips: Mapping[str, str]) -> None:
        """Forget branches that were planned once and are no longer on the forge."""
        planned: Any = self._redis.hkeys(redis_keys.planned(repository))
        for raw in planned:
            branch = raw.decode("utf-8", "surrogateescape")
            if branch in tips:
                continue
            name = redis_keys.branch_id(repository, branch)
            pipe = self._redis.pipeline(transaction=True)
            pipe.hdel(redis_keys.planned(repository), branch)
            pipe.delete(redis_keys.pending(name))
            pipe.hdel(redis_keys.missing_content(), name)
            pipe.execute()


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "surrogateescape")


def _seconds(after: bytes | None) -> int:
    """The time before which a job is not due; 0, so that it is due, for anything but a number."""
    return int(after) if after and after.isdigit() and len(after) < 20 else 0


def _annex_tips(text: bytes) -> list[object]:
    """Tips at which content was missing; none, so that the branch is planned, for anything else."""
    try:
        tips = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return tips if isinstance(tips, list) else []
