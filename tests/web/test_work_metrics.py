"""Metrics of the work: states, times and counts, of a bounded number of labels."""

from __future__ import annotations

import time

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tea_runner.broker import redis_keys
from tea_runner.core.counters_and_histograms import MOST_LABELS
from tea_runner.wiring import Site
from tests.looking import begin, make_job


def _samples(pages: FlaskClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Name and values of labels, in the order of the labels' names."""
    answer = pages.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_jobs_are_counted_by_state_pipeline_and_reason(site: Site, pages: FlaskClient) -> None:
    """Those that no running worker can do are apart."""
    begin(site, make_job(1))
    site.jobs.enqueue(make_job(2))
    found = _samples(pages)

    assert 1.0 == found["tea_jobs", ("edges", "running", "running")]
    assert 1.0 == found["tea_jobs", ("edges", "no-worker", "waiting")]
    assert 0.0 <= found["tea_oldest_wait_seconds", ()] < 60


def test_times_are_histograms(site: Site, pages: FlaskClient) -> None:
    """Cumulative, with the sum; what nobody has observed is 0."""
    for seconds in (0.05, 3.0, 100_000.0):
        site.metric_counters.observe(run=seconds)
    found = _samples(pages)

    assert 1.0 == found["tea_run_seconds_bucket", ("0.1",)]
    assert 2.0 == found["tea_run_seconds_bucket", ("5.0",)]
    assert 3.0 == found["tea_run_seconds_bucket", ("+Inf",)]
    assert 100_003.05 == found["tea_run_seconds_sum", ()]
    assert 0.0 == found["tea_settle_seconds_count", ()]


def test_what_has_ended_is_counted(site: Site, pages: FlaskClient) -> None:
    """Jobs, datums and runs, and when the reconciler compared all."""
    site.metric_counters.count("jobs", "failed", "command", pipeline="edges")
    site.metric_counters.count("jobs", "failed", "command", pipeline="edges")
    site.metric_counters.count("datums", "reused", number=7)
    site.metric_counters.count("runs", "settled")
    site.metric_counters.note_reconciled()
    found = _samples(pages)

    assert 2.0 == found["tea_jobs_ended_total", ("edges", "command", "failed")]
    assert 7.0 == found["tea_datums_total", ("reused",)]
    assert 1.0 == found["tea_runs_ended_total", ("settled",)]
    assert found["tea_reconcile_lag_seconds", ()] < 60


def test_names_of_strangers_are_bounded(site: Site, pages: FlaskClient) -> None:
    """Pipelines beyond a number are counted together; odd names do no harm."""
    for number in range(30 * MOST_LABELS):
        site.metric_counters.count("jobs", "done", "done", pipeline=f"p{number}")
    site.metric_counters.count("jobs", "done", "done", pipeline='"\n\udcff' + "x" * 500)
    began = time.monotonic()
    found = _samples(pages)

    rows = [value for (name, _), value in found.items() if name == "tea_jobs_ended_total"]
    assert 20 * MOST_LABELS + 1 >= len(rows)
    assert 30 * MOST_LABELS + 1 == sum(rows)
    assert time.monotonic() - began < 10


def test_numbers_of_others_are_left_out(site: Site, pages: FlaskClient) -> None:
    """The hash may hold anything."""
    site.redis.hset(
        redis_keys.metrics(),
        mapping={
            "bucket run x": "1",
            "bucket run 99": "5",
            "sum run": "nan",
            "[1]": "3",
            '["jobs"]': "3",
            '["jobs", "a", "b", "c"]': "-4",
            "[" * 5000: "1",
            "reconciled": "soon",
        },
    )
    found = _samples(pages)

    assert not any(name == "tea_jobs_ended_total" for name, _ in found)
    assert 0.0 == found["tea_run_seconds_sum", ()]
