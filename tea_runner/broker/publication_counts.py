"""Counts of results commits for one push, kept in Redis; a loss of Redis starts the count anew."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error

#: Field with the digest of what people gave; no pipeline has an empty name.
_INPUTS = b""


@raises_queue_error
class BranchPublicationCounts:
    """See :class:`tea_runner.ports.PublicationCounts`."""

    def __init__(self, connection: redis.Redis, repository: str, branch: str) -> None:
        self._redis = connection
        self._name = redis_keys.publications(redis_keys.branch_id(repository, branch))

    def of(self, inputs: str) -> Mapping[str, int]:
        """How often each pipeline was published for these inputs."""
        found: Any = self._redis.hgetall(self._name)
        if found.pop(_INPUTS, None) != _digest(inputs):
            return {}
        return {
            name.decode(): int(count)
            for name, count in found.items()
            if count.isdigit() and len(count) < 20
        }

    def add(self, inputs: str, pipeline: str) -> None:
        """Count one publication; the caller holds the lock on the branch."""
        digest = _digest(inputs)
        pipe = self._redis.pipeline(transaction=True)
        if self._redis.hget(self._name, _INPUTS) != digest:
            pipe.delete(self._name)
        pipe.hset(self._name, _INPUTS, digest)
        pipe.hincrby(self._name, pipeline)
        pipe.expire(self._name, redis_keys.publications.ttl)
        pipe.execute()

    def reset(self) -> None:
        """Start to count anew."""
        self._redis.delete(self._name)


def _digest(inputs: str) -> bytes:
    return hashlib.sha256(inputs.encode("utf-8", "surrogateescape")).hexdigest().encode()
