"""What Redis says of jobs and plans in, what stands in no queue and is nobody's out.

Workers die between two commands, Redis is restored from an old copy, single keys are lost: each method
finds one kind of contradiction.  Nothing is decided here, and nothing that lives is disturbed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import redis

from tea_runner.broker.connection import answered
from tea_runner.broker.rq_queues import Queues


class OrphanScanner:
    """Looks for what was lost.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis, work: Queues) -> None:
        self._redis = connection
        self._work = work

    def jobs(self) -> dict[str, str]:
        """Jobs that nobody has in hand although they are due, with the reason why not."""
        rows = answered(self._rows)
        due = {job: words for job, words in rows.items() if words}
        if not due:
            return {}
        queued = answered(lambda: self._work.queued("work"))
        return {job: words for job, words in due.items() if job not in queued}

    def _rows(self) -> dict[str, str]:
        now: Any = self._redis.time()
        names = list(self._redis.scan_iter("tea:job:*", count=1000))
        rows = {}
        for start in range(0, len(names), 500):
            chunk = [_text(name).rsplit(":", 1)[1] for name in names[start : start + 500]]
            pipe = self._redis.pipeline(transaction=False)
            for job in chunk:
                pipe.hmget(f"tea:job:{job}", "state", "after")
                pipe.exists(f"tea:lease:{job}")
            answers: Any = pipe.execute()
            for job, (state, after), lease in zip(chunk, answers[::2], answers[1::2], strict=True):
                if state == b"running" and not lease:
                    rows[job] = "its worker is silent"
                elif state == b"waiting" and int(after or 0) <= int(now[0]):
                    rows[job] = "it was in no queue"
        return rows

    def requests(self) -> list[tuple[str, str]]:
        """(repository, branch) of plan requests that are in no queue."""
        names = answered(lambda: list(self._redis.scan_iter("tea:plan:*", count=1000)))
        if not names:
            return []
        queued = answered(lambda: self._work.queued("plan"))
        found = []
        for name in names:
            wanter = _text(name).removeprefix("tea:plan:")
            repository, _, branch = wanter.partition("\n")
            if json.dumps([repository, branch]) not in queued:
                found.append((repository, branch))
        # One that was taken from the queue meanwhile is not lost: its mark is gone.
        return [each for each in found if answered(partial(self._marked, *each))]

    def _marked(self, repository: str, branch: str) -> bool:
        return bool(self._redis.exists(f"tea:plan:{repository}\n{branch}"))

    def enqueue(self, kind: str, argument: str) -> None:
        """Queue a piece of work again."""
        answered(lambda: self._work.enqueue(kind, argument))

    def unplanned(
        self, repository: str, tips: Mapping[str, str], branches: Iterable[str]
    ) -> dict[str, str]:
        """Which of these branches were not planned to the end, and why.

        :param tips: of all branches on the forge, ``git-annex`` too.
        """
        annex = tips.get("git-annex", "")
        found = {}
        for branch in branches:
            why = answered(partial(self._why, repository, branch, tips[branch], annex))
            if why:
                found[branch] = why
        return found

    def _why(self, repository: str, branch: str, tip: str, annex: str) -> str:
        wanter = f"{repository}\n{branch}"
        if self._redis.exists(f"tea:plan:{wanter}", f"tea:planning:{wanter}"):
            return ""
        pending: Any = self._redis.smembers(f"tea:pending:{wanter}")
        dead = [job for job in pending if not self._lives(_text(job))]
        if dead:
            self._redis.srem(f"tea:pending:{wanter}", *dead)
            return f"{len(dead)} of its jobs were lost"
        known: Any = self._redis.get(f"tea:tip:{wanter}")
        if known != tip.encode() and not pending:
            return f"{tip[:12]} was not planned"
        lacked: Any = self._redis.hget("tea:starved", wanter)
        if lacked is not None and not pending:
            if annex not in json.loads(lacked):
                return "its git-annex branch moved, so content may have come"
            if not self._is_missing(repository):
                return "content that was missing may have come by now"
        return ""

    def _lives(self, job: str) -> bool:
        return self._redis.hget(f"tea:job:{job}", "state") in (b"waiting", b"running")

    def _is_missing(self, repository: str) -> bool:
        return next(iter(self._redis.scan_iter(_missing(repository), count=1000)), None) is not None

    def pop_failed_statuses(self, number: int) -> list[tuple[str, str]]:
        """(repository, branch) of some branches of which the forge did not take every status."""
        found: Any = answered(lambda: self._redis.spop("tea:unsaid", number))
        pairs = [_text(name).partition("\n") for name in found]
        return [(repository, branch) for repository, _, branch in pairs]

    def forget(self, repository: str, tips: Mapping[str, str]) -> None:
        """Forget branches that were planned once and are no more on the forge."""
        prefix = f"tea:tip:{repository}\n"
        names = answered(lambda: list(self._redis.scan_iter(_plain(prefix) + "*", count=1000)))
        gone = [_text(name).removeprefix(prefix) for name in names]
        gone = [branch for branch in gone if branch not in tips]
        for branch in gone:
            wanter = f"{repository}\n{branch}"
            answered(partial(self._redis.delete, f"tea:tip:{wanter}", f"tea:pending:{wanter}"))
            answered(partial(self._redis.hdel, "tea:starved", wanter))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in text)


def _missing(repository: str) -> str:
    # Keys of all scopes: a scope stands behind the repository's name.
    return f"tea:missing:{_plain(repository)}*"
