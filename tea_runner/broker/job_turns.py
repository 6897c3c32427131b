"""Turns of repositories: whose job a worker takes next, however many jobs another repository has.

Each item in a queue of jobs lets a worker take one job with the same need: that of the repository whose
turn it is, of which it takes the job that has waited longest.  Repositories take turns (round robin), those
that the operator prefers more often.  A turn costs the same however many repositories and jobs wait.  Lines
may be lost at any time, or lack jobs that a former version enqueued: then the job that the item names is
taken, and the reconciler finds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_scripts import PUT_IN_LINE, TAKE_TURN
from tea_runner.core.planning.worker_requirement import NEEDS, Need, read_need
from tea_runner.core.repository_priority import RepositoryPriority


@raises_queue_error
class JobTurns:
    """Lines of waiting jobs.  Every method raises QueueError when Redis does not answer.

    :param priorities: repositories with more turns than others.
    """

    def __init__(
        self, connection: redis.Redis, priorities: Sequence[RepositoryPriority] = ()
    ) -> None:
        self._redis = connection
        self._priorities = [
            text for rule in priorities for text in (_lua_pattern(rule.pattern), str(rule.turns))
        ]
        self._put = connection.register_script(PUT_IN_LINE)
        self._take = connection.register_script(TAKE_TURN)

    def put(self, job_id: str) -> Need:
        """Put a job into the line of its repository; returns its need, which names its queue."""
        needs: Any = self._put(
            keys=[redis_keys.job(job_id)],
            args=[job_id, redis_keys.turns(""), _LINES, redis_keys.turns.ttl, *NEEDS],
        )
        return read_need(needs.decode("utf-8", "replace"))

    def take(self, job_id: str) -> str:
        """Take the next turn; returns the id of the job to claim.

        :param job_id: the one that the queue item names.
        """
        args = [
            job_id,
            redis_keys.job(""),
            redis_keys.lease(""),
            redis_keys.turns(""),
            _LINES,
            NEEDS[0],
            *self._priorities,
        ]
        taken: Any = self._take(keys=[redis_keys.job(job_id)], args=args)
        return str(taken.decode("utf-8", "replace"))

    def in_line(self, jobs: Mapping[str, tuple[Need, str]]) -> set[str]:
        """Those of the jobs that are in the line of their repository.

        :param jobs: ids to need and repository.
        """
        pipe = self._redis.pipeline(transaction=False)
        for job_id, (needs, repository) in jobs.items():
            pipe.zscore(redis_keys.line(needs, repository), job_id)
        return {job for job, score in zip(jobs, pipe.execute(), strict=True) if score is not None}


#: Prefix of the names of all lines.
_LINES = redis_keys.line("", "").rstrip("\n")


def _lua_pattern(pattern: str) -> str:
    """A pattern of repositories (``*`` and ``?`` match no slash) in the words of Lua."""
    words = {"*": "[^/]*", "?": "[^/]"}
    return f"^{''.join(words.get(c, c if c.isalnum() else f'%{c}') for c in pattern)}$"
