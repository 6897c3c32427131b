"""Plan requests in Redis: which branches are to be planned, whose turn it is, what was planned to the end.

Everything here can be lost at any time: the reconciler asks again for what was not planned to the end.
So that mark is the last one set, and only where all that the plan left behind is there still.

Keys (all below ``tea:``):
``plan:<repository>\\n<branch>``      why, while a plan request waits in the queue
``planning:<repository>\\n<branch>``  the token of the planner that is at it
``tip:<repository>\\n<branch>``       the commit, once all that can be done for it was done
``starved``         hash: ``repository\\nbranch`` to the ``git-annex`` tips at which it lacked content
``unsaid``          set of ``repository\\nbranch`` of which the forge did not take all statuses
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

import redis

from tea_runner.broker.connection import answered
from tea_runner.broker.job_scripts import PLANNED
from tea_runner.broker.redis_lock import redis_lock

_DAY = 86_400


class PlanRequestStore:
    """What is to be planned, and what was."""

    def __init__(self, connection: redis.Redis, enqueue: Callable[[str, str], None]) -> None:
        self._redis = connection
        self._enqueue = enqueue
        self._planned = connection.register_script(PLANNED)

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """See :class:`tea_runner.ports.PlanRequests`."""
        branch = ref.removeprefix("refs/heads/")
        name = f"tea:plan:{repository}\n{branch}"
        asked = ("SET", name, why, "EX", _DAY, "NX")
        if answered(lambda: self._redis.execute_command(*asked)):  # type: ignore[no-untyped-call]
            answered(lambda: self._enqueue("plan", json.dumps([repository, branch])))

    def lock(self, repository: str, branch: str) -> AbstractContextManager[str]:
        """The turn to plan a branch: its token, or nothing when another planner is at it."""
        return redis_lock(self._redis, f"tea:planning:{repository}\n{branch}")

    def begin(self, repository: str, branch: str) -> str:
        """From now on a push is a new request, and the branch counts as not planned; returns why."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(f"tea:plan:{repository}\n{branch}")
        pipe.delete(f"tea:plan:{repository}\n{branch}", f"tea:tip:{repository}\n{branch}")
        return (pipe.execute()[0] or b"").decode("utf-8", "replace")

    def end(
        self,
        repository: str,
        branch: str,
        commit: str,
        mine: str,
        *,
        starved: Collection[str] = (),
        said: bool = True,
        waits: bool = False,
    ) -> bool:
        """All that can be done now was done for a branch whose tip is this commit.

        :param mine: the token of the turn.
        :param starved: tips of ``git-annex`` at which content was missing that the branch waits for.
        :param said: False when the forge did not take all statuses: the reconciler comes back to it.
        :param waits: whether jobs were asked for.
        :returns: False when Redis lost meanwhile what the plan left there: nothing is marked then.
        """
        wanter = f"{repository}\n{branch}"
        names = [f"tea:{kind}:{wanter}" for kind in ("planning", "tip", "plan", "pending")]
        lacked = json.dumps(sorted(starved)) if starved else ""
        args: list[str | int] = [mine, commit, wanter, lacked, int(not said), int(waits)]
        return bool(self._planned(keys=[*names, "tea:starved", "tea:unsaid"], args=args))
