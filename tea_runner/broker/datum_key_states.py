"""States of datum keys in Redis: in flight, failed, cancelled, or without content of their inputs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_reader import JobReader
from tea_runner.broker.job_scripts import CANCELLED_MARK
from tea_runner.core.planning.job import Job
from tea_runner.ports import Failure, MissingContent

log = logging.getLogger(__name__)

#: Before the error of a failure that is true only with these attributes.
_ATTRIBUTES = re.compile(r"\Aattributes ([0-9a-f]{16})\n")


def with_attributes(error: str, digest: str) -> str:
    """The text of a failure that is true only as long as the attributes are the same."""
    return f"attributes {digest}\n{error}" if digest else error


@raises_queue_error
class DatumKeyStates(JobReader):
    """What Redis has of datum keys.  Every method raises QueueError when Redis does not answer.

    :param secret: key of the seal on jobs.
    :param redact: takes secrets out of errors before they are kept.
    """

    def __init__(
        self, connection: redis.Redis, *, secret: bytes, redact: Callable[[str], str] = str
    ) -> None:
        super().__init__(connection, secret=secret)
        self._redact = redact

    def in_flight(self, repository: str, datum_keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that a waiting or running job computes, with the job's id."""
        ids = self._values(
            [redis_keys.in_flight(repository, key) for key in datum_keys], datum_keys
        )
        pipe = self._redis.pipeline(transaction=False)
        for job_id in dict.fromkeys(ids.values()):
            pipe.hget(redis_keys.job(job_id), "state")
        states = dict(zip(dict.fromkeys(ids.values()), pipe.execute(), strict=True))
        live = (b"waiting", b"running")
        return {key: job_id for key, job_id in ids.items() if states[job_id] in live}

    def running(self, jobs: Sequence[str]) -> set[str]:
        """See :class:`tea_runner.ports.JobQueue`."""
        pipe = self._redis.pipeline(transaction=False)
        for job_id in jobs:
            pipe.hget(redis_keys.job(job_id), "state")
        states = dict(zip(jobs, pipe.execute(), strict=True))
        return {job_id for job_id, state in states.items() if state == b"running"}

    def failures(self, repository: str, datum_keys: Sequence[str]) -> dict[str, Failure]:
        """Those of the keys that failed for good, or were cancelled."""
        names = [redis_keys.failure(repository, key) for key in datum_keys]
        return {key: _failure(text) for key, text in self._values(names, datum_keys).items()}

    def missing(self, repository: str, datum_keys: Sequence[str]) -> dict[str, MissingContent]:
        """Those of the keys whose inputs had no content."""
        found = self._values(
            [redis_keys.missing(repository, key) for key in datum_keys], datum_keys
        )
        missing = {}
        for key, text in found.items():
            content = _missing_content(text)
            if content is None:
                log.warning("ignored a malformed record of missing inputs in Redis: %.80r", text)
            else:
                missing[key] = content
        return missing

    def _values(self, names: Sequence[str], datum_keys: Sequence[str]) -> dict[str, str]:
        """Each datum's key with the text that Redis has under the name beside it."""
        found: dict[str, str] = {}
        for start in range(0, len(names), 1000):
            values: Any = self._redis.mget(names[start : start + 1000])
            for key, value in zip(datum_keys[start : start + 1000], values, strict=True):
                if value is not None:
                    found[key] = value.decode("utf-8", "replace")
        return found

    def forget_failures(self, repository: str, datum_keys: Collection[str]) -> int:
        """Let keys that failed, or lacked content, be tried again; returns how many there were."""
        found = 0
        for family in (redis_keys.failure, redis_keys.missing):
            names = [family(repository, key) for key in datum_keys]
            found += int(self._redis.delete(*names)) if names else 0
        return found

    def record_missing(
        self, job: Job, annex_tip: str, error: str, datum_keys: Collection[str] | None = None
    ) -> None:
        """Remember that inputs of a job have no content, as of this tip of ``git-annex``.

        For ten minutes, because content may come without a change in git.

        :param datum_keys: keys of the datums that have none; those of all datums by default.
        """
        value = json.dumps([[job.commit, annex_tip], self._redact(error)])
        pipe = self._redis.pipeline(transaction=True)
        for key in [key for _, key in job.datums] if datum_keys is None else datum_keys:
            pipe.set(redis_keys.missing(job.queue_namespace, key), value, ex=redis_keys.missing.ttl)
        pipe.set(redis_keys.any_missing(job.repository), "1", ex=redis_keys.any_missing.ttl)
        pipe.execute()


def _failure(text: str) -> Failure:
    error = text.removeprefix(CANCELLED_MARK)
    match = _ATTRIBUTES.match(error)
    return Failure(
        error[match.end() :] if match is not None else error,
        attributes=match[1] if match is not None else "",
        is_cancelled=text != error,
    )


def _missing_content(text: str) -> MissingContent | None:
    """What :meth:`DatumKeyStates.record_missing` wrote; None for anything else."""
    try:
        (commit, annex_tip), error = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    if not all(isinstance(each, str) for each in (commit, annex_tip, error)):
        return None
    return MissingContent(commit, annex_tip, error)
