"""Reads jobs from Redis, for pages, the terminal and the reconciler; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.job_index import JobIndex
from tea_runner.core.errors import Refused
from tea_runner.core.planning.job import Job, unseal_job
from tea_runner.core.planning.job_record import JobRecord, parse_job_record

#: The fields of a job without its body.
_HEAD = (
    *("state", "needs", "attempt", "worker", "created", "started", "ended", "error", "failures"),
    *("seconds", "fetched", "fetch_seconds", "run_seconds", "store_seconds"),
    *("troubles", "after", "cancel", "cancelled_by"),
)


@raises_queue_error
class JobReader:
    """What Redis has of jobs.  Every method raises QueueError when Redis does not answer.

    :param secret: key of the seal on jobs; a job with another seal is shown without its datums.
    """

    def __init__(self, connection: redis.Redis, *, secret: bytes) -> None:
        self._redis = connection
        self._secret = secret
        self._index = JobIndex(connection)

    def get(self, job_id: str) -> dict[str, str]:
        """All fields of a job; empty for an unknown one."""
        raw: Any = self._redis.hgetall(redis_keys.job(job_id))
        return _texts(raw)

    def next_attempt(self, job: Job) -> Job:
        """The job with a number that no job with the same datums has that failed, which stays to be read."""
        number = 0
        while True:
            started, failures = self._redis.hmget(redis_keys.job(job.id), "started", "failures")
            if not started or failures in (None, b"{}"):
                return job
            number += 1
            job = replace(job, retry=str(number))

    def facts(self, ids: Sequence[str]) -> dict[str, JobRecord]:
        """What is known of these jobs, by id; unknown ones are left out."""
        found = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                pipe.hgetall(redis_keys.job(job_id))
            for job_id, raw in zip(chunk, pipe.execute(), strict=True):
                fields = _texts(raw)
                if fields:
                    found[job_id] = parse_job_record(job_id, fields, self._body(fields))
        return found

    def states(self, ids: Sequence[str]) -> dict[str, JobRecord]:
        """State, need and error of these jobs, by id, without their datums; unknown ones are left out."""
        names = ("state", "error", "needs", "troubles", "after")
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hmget(redis_keys.job(job_id), *names)
        found = {}
        for job_id, values in zip(ids, pipe.execute(), strict=True):
            raw = {
                name.encode(): value
                for name, value in zip(names, values, strict=True)
                if value is not None
            }
            if raw:
                found[job_id] = parse_job_record(job_id, _texts(raw), None)
        return found

    def heads(self, ids: Sequence[str], known: MutableMapping[str, Job]) -> dict[str, JobRecord]:
        """As :meth:`facts`, for jobs that are looked at again and again: a job's datums are read once.

        :param known: jobs by id, to which those that are read are added.
        """
        found = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                pipe.hmget(redis_keys.job(job_id), *_HEAD, *([] if job_id in known else ["body"]))
            for job_id, values in zip(chunk, pipe.execute(), strict=True):
                names = (*_HEAD, "body")[: len(values)]
                fields = _texts(
                    {n.encode(): v for n, v in zip(names, values, strict=True) if v is not None}
                )
                job = self._body(fields) if "body" in fields else known.get(job_id)
                if job is not None:
                    known[job_id] = job
                if fields:
                    found[job_id] = parse_job_record(job_id, fields, job)
        return found

    def of_other_pushes(
        self, repository: str, branch: str, jobs: Sequence[str], pushed: str
    ) -> list[Job]:
        """See :class:`tea_runner.ports.JobQueue`; bodies are read of jobs of other pushes only."""
        pipe = self._redis.pipeline(transaction=False)
        for job_id in jobs:
            pipe.hmget(redis_keys.job(job_id), "state", "pushed")
        others = [
            job_id
            for job_id, (state, of) in zip(jobs, pipe.execute(), strict=True)
            if state == b"waiting" and (of or b"") != pushed.encode()
        ]
        pipe = self._redis.pipeline(transaction=False)
        for job_id in others:
            pipe.hget(redis_keys.job(job_id), "body")
            pipe.smembers(redis_keys.subscribers(job_id))
        answers = pipe.execute()
        found = []
        for body, subscribers in zip(answers[::2], answers[1::2], strict=True):
            job = self._body({"body": (body or b"").decode("utf-8", "replace")})
            if job is None or job.repository != repository:
                continue
            is_left = redis_keys.branch_id(repository, job.branch).encode() not in subscribers
            if job.branch == branch or is_left:
                found.append(job)
        return found

    def subscribers(self, job_id: str) -> list[tuple[str, str]]:
        """Repository and branch of those that wait for a job."""
        raw: Any = self._redis.smembers(redis_keys.subscribers(job_id))
        return sorted(redis_keys.split_branch_id(each) for each in raw)

    def _body(self, fields: Mapping[str, str]) -> Job | None:
        try:
            return unseal_job(fields.get("body", ""), self._secret)
        except Refused:
            return None

    def ids_starting_with(self, prefix: str) -> list[str]:
        """Ids of the jobs that begin with these hex digits, sorted."""
        return self._index.starting_with(prefix)

    def live(self) -> dict[str, JobRecord]:
        """All jobs that wait or run, by id."""
        facts = self.facts(self._index.live())
        return {job: each for job, each in facts.items() if each.state in ("waiting", "running")}

    def waiting(self) -> list[str]:
        """Ids of the jobs that wait for a worker."""
        return [job for job, facts in self.live().items() if facts.state == "waiting"]


def _texts(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    return {k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in raw.items()}
