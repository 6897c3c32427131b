"""What planner, worker and reconciler add to the metrics."""

from __future__ import annotations

import pytest

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec


@pytest.mark.long
def test_the_work_is_counted_once(forged: Lab, hands: Hands) -> None:
    """A job with its times, the datums of an ended run, a failure with its reason, and the comparison."""
    hands.plan()
    hands.work()
    hands.plan()
    hands.plan()
    hands.reconciler.round()
    values = hands.site.metric_counters.read()

    for timed in ("wait", "fetch", "run", "store", "settle"):
        assert 1 == sum(values.histograms[timed].counts.values()), timed
    assert {
        ("jobs", "done", "done", "up"): 1,
        ("datums", "done"): 1,
        ("runs", "settled"): 1,
    } == values.counters
    assert values.reconciled > 0

    forged.pull()
    forged.write({"up/spec.yml": spec("up", f"{COPY}; exit 1", datum_tries=1)})
    forged.save()
    forged.push()
    hands.plan()
    hands.work()
    hands.plan()
    values = hands.site.metric_counters.read()
    assert 1 == values.counters["jobs", "failed", "command", "up"]
    assert 1 == values.counters["runs", "failed"]
    assert 1 == values.counters["datums", "failed"]
