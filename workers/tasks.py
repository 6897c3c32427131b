"""What the queues carry, by the names that the rest of the house uses: plan a branch, do a job."""

from __future__ import annotations

from workers.planner import Planner
from workers.worker import Worker, explain, means, new_token, worker_name

__all__ = ["Planner", "Worker", "explain", "means", "new_token", "worker_name"]
