"""What was said of pull requests on the forge; it can be lost, and is found again there."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@dataclass(frozen=True, kw_only=True)
class PullRequestNote:
    """One pull request."""

    #: Its newest commit when it was looked at last, and its branch if that is in the repository.
    commit: str
    branch: str = ""
    #: Id of the comment on it, and a digest of the comment's text.
    comment: str = ""
    digest: str = ""


#: Digits of the longest number of a pull request.
_DIGITS = 18


@raises_queue_error
class PullRequestNotes:
    """Notes of one repository.

    Every method raises QueueError when Redis does not answer.
    """

    def __init__(self, connection: redis.Redis, repository: str) -> None:
        self._redis = connection
        self._name = redis_keys.pull_requests(repository)

    def all(self) -> dict[int, PullRequestNote]:
        """Numbers to notes."""
        rows: Any = self._redis.hgetall(self._name)
        numbers = (name for name in rows if name.isdigit() and len(name) <= _DIGITS)
        found = {int(number): _parse(rows[number]) for number in numbers}
        return {number: note for number, note in found.items() if note is not None}

    def get(self, number: int) -> PullRequestNote | None:
        """The note of one pull request."""
        raw: Any = self._redis.hget(self._name, str(number))
        return _parse(raw) if raw is not None else None

    def put(self, number: int, note: PullRequestNote) -> None:
        """Replace the note of a pull request."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(self._name, str(number), json.dumps(asdict(note)))
        pipe.expire(self._name, redis_keys.pull_requests.ttl)
        pipe.execute()

    def forget(self, numbers: Collection[int]) -> None:
        """Forget pull requests that are not open any more."""
        if numbers:
            self._redis.hdel(self._name, *map(str, numbers))

    def proposed(self, branch: str) -> str:
        """The results commit of a branch that its pull request was last written for."""
        raw: Any = self._redis.hget(self._name, f"results {branch}")
        return (raw or b"").decode("ascii", "replace")

    def note_proposed(self, branch: str, commit: str) -> None:
        """Note for which results commit the pull request of a branch is written."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(self._name, f"results {branch}", commit)
        pipe.expire(self._name, redis_keys.pull_requests.ttl)
        pipe.execute()

    def of_branch(self, branch: str) -> list[int]:
        """Numbers of the pull requests of a branch of the repository."""
        return sorted(number for number, note in self.all().items() if note.branch == branch)


def _parse(raw: bytes) -> PullRequestNote | None:
    """A note; None for what another version wrote."""
    try:
        note = PullRequestNote(**json.loads(raw))
    except (ValueError, TypeError, RecursionError):
        return None
    is_valid = all(isinstance(value, str) for value in asdict(note).values())
    return note if is_valid and (not note.comment or note.comment.isdecimal()) else None
