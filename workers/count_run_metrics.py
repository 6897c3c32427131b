"""Counts of runs and their datums, for the metrics."""

from __future__ import annotations

from tea_runner.core.planning.run import Run
from tea_runner.wiring import Site


def count_run(site: Site, run: Run) -> None:
    """Count a run that has ended with this plan, and its datums."""
    if run.ended and run.ended == run.updated:
        counters = site.metric_counters
        counters.count("runs", run.state)
        for row in run.pipelines:
            for state, number in row.counts.items():
                counters.count("datums", state, number=number)
