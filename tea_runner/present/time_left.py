"""How long a run will take, from the times of the datums that were computed before."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from tea_runner.core.planning.job import Throughput
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus


def seconds_per_datum(jobs: Iterable[JobRecord]) -> float | None:
    """The median over jobs that are done; None where none is."""
    found = [
        each.seconds / len(each.datums)
        for each in jobs
        if each.state == "done" and each.seconds and each.datums
    ]
    return statistics.median(found) if found else None


def time_left(
    status: RunStatus,
    jobs: Mapping[str, JobRecord],
    former: Mapping[str, Throughput],
    workers: int,
) -> float | None:
    """Seconds until what is planned is done; None where nothing is known of a pipeline.

    :param jobs: the jobs of the run by id.
    :param former: how fast pipelines were before, by name; counts until a job of this run is done.
    :param workers: how many there are for jobs.
    """
    if status.ended:
        return None
    total, known = 0.0, False
    for row in status.pipelines:
        left = row.numbers.get("waiting", 0) + row.numbers.get("running", 0)
        if not left:
            continue
        each = seconds_per_datum(jobs[job] for job in row.jobs if job in jobs)
        if each is None:
            before = former.get(row.name)
            if before is None:
                return None
            each = before.seconds
        known = True
        total += left * each
    return total / max(1, workers) if known else None
