"""Measures of the datums of jobs in Redis, one compressed text for each job, for pages."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.core.planning.datum_measures import DatumMeasures, format_measures, parse_measures
from tea_runner.core.planning.job_and_datum_details import JobDetails, format_details, parse_details

#: Bytes of one job's measures that are read.
_MOST_BYTES = 1 << 24


@raises_queue_error
class MeasureStore:
    """What was measured of the datums of jobs.  Every method raises QueueError when Redis does not answer."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def save(self, job_id: str, rows: Iterable[DatumMeasures]) -> None:
        """Keep those of a job; a later attempt replaces them."""
        packed = zlib.compress(format_measures(rows).encode(), 1)
        self._redis.set(redis_keys.measures(job_id), packed, ex=redis_keys.measures.ttl)

    def get(self, ids: Sequence[str]) -> dict[str, list[DatumMeasures]]:
        """Those of these jobs, by id; jobs without any are left out."""
        found = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            packed: Any = self._redis.mget([redis_keys.measures(job_id) for job_id in chunk])
            for job_id, raw in zip(chunk, packed, strict=True):
                if raw is not None:
                    found[job_id] = _unpack(raw)
        return found

    def save_details(self, job_id: str, details: JobDetails) -> None:
        """Keep what a job ran, with inputs, outputs and previews; a later attempt replaces it."""
        packed = zlib.compress(format_details(details).encode(), 1)
        name = redis_keys.job_details(job_id)
        self._redis.set(name, packed, ex=redis_keys.job_details.ttl)

    def details(self, job_id: str) -> JobDetails | None:
        """What a job ran; None where it is not known."""
        raw: Any = self._redis.get(redis_keys.job_details(job_id))
        if raw is None:
            return None
        try:
            return parse_details(zlib.decompressobj().decompress(raw, _MOST_BYTES))
        except (zlib.error, ValueError):
            return None


def _unpack(raw: bytes) -> list[DatumMeasures]:
    try:
        return parse_measures(zlib.decompressobj().decompress(raw, _MOST_BYTES))
    except zlib.error:
        return []
