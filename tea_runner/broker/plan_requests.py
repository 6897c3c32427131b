"""Plan requests in Redis: branches to plan, the lock on each, and the commits that were planned.

Everything here can be lost at any time: the reconciler requests a plan again of each branch that was
not planned completely.  So that mark is set last, and only while all that the plan left is in Redis.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_scripts import COMPLETE_PLAN
from tea_runner.broker.redis_lock import redis_lock


@raises_queue_error
class PlanRequestStore:
    """Branches to plan, and branches that were planned.

    :param enqueue: puts repository and branch, as JSON, into the queue of the kind ``plan``.
    """

    def __init__(self, connection: redis.Redis, enqueue: Callable[[str, str], None]) -> None:
        self._redis = connection
        self._enqueue = enqueue
        self._complete = connection.register_script(COMPLETE_PLAN)

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """See :class:`tea_runner.ports.PlanRequests`."""
        branch = ref.removeprefix("refs/heads/")
        # No script and no HSETNX: this is all that the receiver's user of Redis may do.
        if self._redis.hset(
            redis_keys.plan_requests(), redis_keys.branch_id(repository, branch), why
        ):
            self._enqueue("plan", json.dumps([repository, branch]))

    def lock(self, repository: str, branch: str) -> AbstractContextManager[str]:
        """Lock a branch against other planners; yields the lock's token, empty when it is taken."""
        return redis_lock(
            self._redis, redis_keys.plan_lock(redis_keys.branch_id(repository, branch))
        )

    def begin(self, repository: str, branch: str) -> str:
        """Take the plan request of a branch, which counts as not planned from now on.

        :returns: the reason of the request; empty when there was none.
        """
        name = redis_keys.branch_id(repository, branch)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hget(redis_keys.plan_requests(), name)
        pipe.hdel(redis_keys.plan_requests(), name)
        pipe.hdel(redis_keys.planned(repository), branch)
        answers: list[Any] = pipe.execute()
        return (answers[0] or b"").decode("utf-8", "replace")

    def complete(
        self,
        repository: str,
        branch: str,
        commit: str,
        token: str,
        *,
        missing_at: Collection[str] = (),
        commit_statuses_accepted: bool = True,
        waits_for_jobs: bool = False,
    ) -> bool:
        """Mark a branch as planned: nothing more can be done now for this commit at its tip.

        :param token: of :meth:`lock`.
        :param missing_at: tips of ``git-annex`` at which content was missing.
        :param commit_statuses_accepted: False when the forge declined a status, which is posted again later.
        :param waits_for_jobs: whether the branch is subscribed to jobs.
        :returns: False, and nothing is marked, when the lock was lost, or Redis lost the jobs.
        """
        name = redis_keys.branch_id(repository, branch)
        tips = json.dumps(sorted(missing_at)) if missing_at else ""
        completed = self._complete(
            keys=[
                redis_keys.plan_lock(name),
                redis_keys.planned(repository),
                redis_keys.plan_requests(),
                redis_keys.pending(name),
                redis_keys.missing_content(),
                redis_keys.failed_commit_statuses(),
            ],
            args=[
                token,
                commit,
                branch,
                name,
                tips,
                int(not commit_statuses_accepted),
                int(waits_for_jobs),
            ],
        )
        return bool(completed)

    def waits_for_content(self, repository: str) -> dict[str, bool]:
        """Branches of a repository that were planned, to whether they wait for missing content."""
        raw: Any = self._redis.hkeys(redis_keys.planned(repository))
        branches = sorted(each.decode("utf-8", "surrogateescape") for each in raw)
        if not branches:
            return {}
        names = [redis_keys.branch_id(repository, branch) for branch in branches]
        tips: Any = self._redis.hmget(redis_keys.missing_content(), names)
        return {branch: tip is not None for branch, tip in zip(branches, tips, strict=True)}

    def planned(self, repository: str, branch: str) -> str:
        """The commit of a branch that was planned completely; empty when none was."""
        raw: Any = self._redis.hget(redis_keys.planned(repository), branch)
        return (raw or b"").decode("ascii", "replace")
