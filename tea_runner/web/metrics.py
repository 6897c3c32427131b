"""Metrics in Prometheus' text format: ``/metrics``."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tea_runner.core.errors import QueueError
from tea_runner.web.work_metrics import work_metrics
from tea_runner.wiring import Site

_log = logging.getLogger(__name__)


class _StateCollector(Collector):
    """Reads Redis at each scrape, so that all processes of the receiver report the same values."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        """Yield the current values."""
        up = GaugeMetricFamily("tea_redis_up", "Whether Redis answers.")
        problem = self._site.jobs.problem()
        up.add_metric([], 0 if problem else 1)
        yield up
        if problem:
            return
        deliveries = CounterMetricFamily(
            "tea_deliveries", "Deliveries by verdict.", labels=["verdict"]
        )
        for word, number in sorted(self._site.delivery_counts.counts().items()):
            deliveries.add_metric([word], number)
        yield deliveries
        waiting = GaugeMetricFamily("tea_queue_length", "Queued jobs and plans.", labels=["queue"])
        for kind in ("plan", "job"):
            waiting.add_metric([kind], self._site.queues.length(kind))
        yield waiting
        try:
            yield from list(work_metrics(self._site))
        except QueueError as error:
            _log.warning("metrics of the work are left out: %s", error.message)


def metrics_blueprint(site: Site) -> Blueprint:
    """Create the route."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_StateCollector(site))

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes
