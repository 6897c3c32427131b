"""Which branches are processed: one rule for the receiver, the reconciler, the planner and the terminal."""

from __future__ import annotations

import json

import pytest

from tea_runner.core.deliveries.delivery_events import DeliveryError, Ignored
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.git.branch_kinds import exclusion
from workers.plan_queue_items import read_plan_request

NAMES = [
    "main",
    "release/1",
    "-x",
    "a..b",
    "a b",
    "git-annex",
    "synced/main",
    "pull/1",
    "@{x",
    "a.lock",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_branch_is_processed_everywhere_or_nowhere(name: str) -> None:
    """What the reconciler requests, the planner plans; what a delivery announces is what both know."""
    processed = not exclusion(name, ["*"], pull_requests=False)

    assert (name in ("main", "release/1")) == processed
    if processed:
        assert read_plan_request(json.dumps(["lab/data", name])) == ("lab/data", name)
    body = {"ref": f"refs/heads/{name}", "before": "1" * 40, "after": "2" * 40}
    body["repository"] = {"full_name": "lab/data", "id": 1}  # type: ignore[assignment]
    try:
        announced = not isinstance(parse_gitea_delivery("push", json.dumps(body).encode()), Ignored)
    except DeliveryError:
        announced = False
    assert announced or not processed


def test_a_pattern_selects_branches() -> None:
    """And pull requests only where they are processed."""
    assert "" == exclusion("release/1", ["release/*"], pull_requests=False)
    assert "branches" in exclusion("main", ["release/*"], pull_requests=False)
    assert "pull_requests" in exclusion("pull/1", ["*"], pull_requests=False)
    assert "" == exclusion("pull/1", ["*"], pull_requests=True)
