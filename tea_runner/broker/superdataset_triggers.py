"""Superdatasets in Redis: which branches to plan again when the branch of a subdataset moves.

A plan after a loss of Redis registers its branch again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.ports import PlanRequests


@raises_queue_error
class SuperdatasetStore:
    """Branches that track subdatasets on the same forge.

    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis, requests: PlanRequests) -> None:
        self._redis = connection
        self._requests = requests

    def register(self, repository: str, branch: str, subdatasets: Iterable[str]) -> None:
        """Remember which repositories (``owner/name``) a branch tracks as subdatasets."""
        for subdataset in subdatasets:
            self._redis.sadd(
                redis_keys.superdatasets(subdataset), redis_keys.branch_id(repository, branch)
            )

    def announce(self, repository: str, branch: str, commit: str) -> None:
        """Request plans of the superdatasets of a repository, once for each tip of its branch."""
        announced = redis_keys.announced(redis_keys.branch_id(repository, branch))
        if self._redis.get(announced) == commit.encode():
            return
        branches: Any = self._redis.smembers(redis_keys.superdatasets(repository))
        for superdataset, its_branch in map(redis_keys.split_branch_id, branches):
            if superdataset != repository:
                ref, why = f"refs/heads/{its_branch}", f"{repository}@{commit[:10]} has moved"
                self._requests.request_plan(superdataset, ref, why=why)
        # Last, so that a planner that dies before this announces the tip once more.
        self._redis.set(announced, commit)
