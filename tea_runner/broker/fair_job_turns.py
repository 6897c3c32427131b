"""Turns of repositories: whose job a worker takes next, however many jobs another repository has.

Each item in a queue of jobs lets a worker take one job of the same class: that of the repository whose
turn it is, of which it takes the job that has waited longest.  Repositories take turns (round robin), those
that the operator prefers more often.  A turn costs the same however many repositories and jobs wait.
A repository of which as many jobs run as may, or of whose owner, is held back until one of them has ended;
an item that finds nobody else is used up, and the worker whose job ends queues another one.  Lines may be
lost at any time, or lack jobs that a former version enqueued: then the job that the item names is taken,
and the reconciler finds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import redis

from tea_runner.broker import fair_turn_scripts, redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.worker_requirement import NEEDS, class_text, read_class
from tea_runner.core.repository_priority import RepositoryPriority
from tea_runner.core.running_limit import RunningLimit

#: Seconds for which a job counts as running that was taken, and whose worker has not claimed it yet.
_CLAIMED_AFTER = 15
#: Classes with a demand that are looked at.
_MOST_CLASSES = 500


@raises_queue_error
class JobTurns:
    """Lines of waiting jobs.  Every method raises QueueError when Redis does not answer.

    :param priorities: repositories with more turns than others.
    :param limits: of the jobs that run at once.
    """

    def __init__(
        self,
        connection: redis.Redis,
        priorities: Sequence[RepositoryPriority] = (),
        limits: Sequence[RunningLimit] = (),
    ) -> None:
        self._redis = connection
        self._words = json.dumps(
            {
                "job": redis_keys.job(""),
                "lease": redis_keys.lease(""),
                "turns": redis_keys.turns(""),
                "line": redis_keys.line("", "").rstrip("\n"),
                "held": redis_keys.held("", "").rstrip("\n"),
                "running": redis_keys.running_jobs(""),
                "ttl": redis_keys.turns.ttl,
                "grace": _CLAIMED_AFTER,
                "needs": NEEDS,
                "classes": redis_keys.job_classes(),
                "most_classes": _MOST_CLASSES,
                "priorities": [
                    {"pattern": _lua_pattern(rule.pattern), "turns": rule.turns}
                    for rule in priorities
                ],
                "limits": [
                    {
                        "pattern": _lua_pattern(rule.pattern),
                        "jobs": rule.jobs,
                        "owners": "/" not in rule.pattern,
                    }
                    for rule in limits
                ],
            }
        )
        register = connection.register_script
        self._put = register(fair_turn_scripts.PUT_IN_LINE)
        self._take = register(fair_turn_scripts.TAKE_TURN)
        self._end = register(fair_turn_scripts.END_TURN)
        self._are_held = register(fair_turn_scripts.ARE_HELD)

    def put(self, job_id: str) -> str:
        """Put a job into the line of its repository; returns its class, which names its queue."""
        put: Any = self._put(keys=[redis_keys.job(job_id)], args=[job_id, self._words])
        return class_text(*read_class(put.decode("utf-8", "replace")))

    def classes(self) -> list[str]:
        """Classes with a demand that were enqueued in the last days, the newest first."""
        raw: Any = self._redis.zrevrange(redis_keys.job_classes(), 0, _MOST_CLASSES - 1)
        found = (class_text(*read_class(each.decode("utf-8", "replace"))) for each in raw)
        return [each for each in dict.fromkeys(found) if each not in NEEDS]

    def take(self, job_id: str) -> tuple[str, Sequence[str]]:
        """Take the next turn.

        :param job_id: the one that the queue item names.
        :returns: id of the job to claim, or an empty text if none may start; and ids of jobs for which
            items are due.
        """
        answer: Any = self._take(keys=[redis_keys.job(job_id)], args=[job_id, self._words])
        taken, *waiting = (job.decode("utf-8", "replace") for job in answer)
        return taken, waiting

    def end(self, job_id: str) -> Sequence[str]:
        """Note that a job that was taken runs no longer; returns ids of jobs for which items are due."""
        waiting: Any = self._end(keys=[redis_keys.job(job_id)], args=[job_id, self._words])
        return [job.decode("utf-8", "replace") for job in waiting]

    def held(self, lines: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the lines (class and repository) that wait until a running job has ended."""
        if not lines:
            return set()
        words = [word for line in lines for word in line]
        held: Any = self._are_held(keys=[redis_keys.job("")], args=["", self._words, *words])
        return {line for line, each in zip(lines, held, strict=True) if each}

    def in_line(self, jobs: Mapping[str, tuple[str, str]]) -> set[str]:
        """Those of the jobs that are in the line of their repository.

        :param jobs: ids to class and repository.
        """
        pipe = self._redis.pipeline(transaction=False)
        for job_id, (needs, repository) in jobs.items():
            pipe.zscore(redis_keys.line(needs, repository), job_id)
        return {job for job, score in zip(jobs, pipe.execute(), strict=True) if score is not None}


def _lua_pattern(pattern: str) -> str:
    """A pattern of repositories (``*`` and ``?`` match no slash) in the words of Lua."""
    words = {"*": "[^/]*", "?": "[^/]"}
    return f"^{''.join(words.get(c, c if c.isalnum() else f'%{c}') for c in pattern)}$"
