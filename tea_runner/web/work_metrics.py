"""Metrics of the work: jobs, datums, workers, times; read from Redis at each scrape."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from tea_runner.core.counters_and_histograms import (
    MOST_LABELS,
    OTHER,
    TIMED,
    Histogram,
    MetricValues,
    Timed,
    label,
)
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import lack_of
from tea_runner.core.planning.worker_requirement import Offered
from tea_runner.wiring import Site

_ABOUT: Mapping[Timed, str] = {
    "wait": "From a job's place in the queue to its start.",
    "fetch": "Fetching the inputs of a job.",
    "run": "Commands of a job.",
    "store": "Saving and sending the results of a job.",
    "settle": "Planning a branch and publishing its results.",
}


def work_metrics(site: Site) -> Iterator[Metric]:
    """Yield all of them.

    :raises QueueError: when Redis does not answer.
    """
    fleet = site.fleet()
    now = time.time()
    yield _live_jobs(site.jobs.live().values(), fleet.offers, now)
    workers = GaugeMetricFamily("tea_workers", "Processes.", labels=["kind", "state"])
    counted = Counter((each.kind or "job", each.state) for each in fleet.workers)
    for (kind, state), number in sorted(counted.items()):
        workers.add_metric([kind, state], number)
    yield workers
    oldest = GaugeMetricFamily("tea_oldest_wait_seconds", "Age of the oldest waiting job.")
    oldest.add_metric([], max(0.0, now - fleet.oldest) if fleet.oldest else 0.0)
    yield oldest
    yield from _counted(site.metric_counters.read(), now)


def _live_jobs(jobs: Collection[JobRecord], offers: Collection[Offered], now: float) -> Metric:
    found = GaugeMetricFamily(
        "tea_jobs", "Waiting and running jobs.", labels=["state", "pipeline", "reason"]
    )
    rows = [
        (facts.state, label(facts.job.pipeline if facts.job else ""), _reason(facts, offers, now))
        for facts in jobs
    ]
    most = Counter(pipeline for _, pipeline, _ in rows).most_common(MOST_LABELS)
    shown = {pipeline for pipeline, _ in most}
    counted = Counter((state, name if name in shown else OTHER, why) for state, name, why in rows)
    for (state, pipeline, reason), number in sorted(counted.items()):
        found.add_metric([state, pipeline, reason], number)
    return found


def _reason(facts: JobRecord, offers: Collection[Offered], now: float) -> str:
    """Why a job is not done yet: one of a closed list."""
    if facts.state != "waiting":
        return "stopping" if facts.stopping else "running"
    if lack_of(facts, offers):
        return "no-worker"
    return "retry" if facts.next_try > now else "queued"


def _counted(values: MetricValues, now: float) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "tea_jobs_ended", "Jobs that have ended.", labels=["state", "reason", "pipeline"]
    )
    datums = CounterMetricFamily(
        "tea_datums", "Datums of ended runs: computed, reused, or not.", labels=["state"]
    )
    runs = CounterMetricFamily("tea_runs_ended", "Runs that have ended.", labels=["state"])
    families = {"jobs": (ended, 3), "datums": (datums, 1), "runs": (runs, 1)}
    for (name, *labels), number in sorted(values.counters.items()):
        family, wanted = families.get(name, (None, 0))
        if family is not None and len(labels) == wanted:
            family.add_metric(labels, number)
    yield from (ended, datums, runs)
    for timed in TIMED:
        seconds = HistogramMetricFamily(f"tea_{timed}_seconds", _ABOUT[timed])
        histogram = values.histograms.get(timed, Histogram())
        seconds.add_metric([], buckets=histogram.cumulative(), sum_value=histogram.total)
        yield seconds
    lag = GaugeMetricFamily(
        "tea_reconcile_lag_seconds", "Since all repositories were compared with their plans."
    )
    if values.reconciled:
        lag.add_metric([], max(0.0, now - values.reconciled))
    yield lag
