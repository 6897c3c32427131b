"""States of pipelines' plans, of jobs, and of datums as people see them."""

from __future__ import annotations

from typing import Literal, get_args

#: Of a pipeline's plan, and of a run.
#: settled: the tree is as it should be; ready: every result is known, a results commit is due;
#: running: jobs are needed or under way; waiting: for an upstream pipeline; failed: a datum failed;
#: blocked: it cannot be planned.
PlanState = Literal["settled", "ready", "running", "waiting", "failed", "blocked"]

#: Of a run.  superseded: it was replaced before it ended.
RunState = Literal["settled", "running", "failed", "blocked", "superseded"]

#: States of a plan that only a push, a retry or a recompute request changes, and of ended runs.
ENDED_STATES: tuple[PlanState | RunState, ...] = ("settled", "failed", "blocked", "superseded")

#: Of a job in the queue.
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]

#: Of a datum, and of pipelines and runs in pages, terminal and JSON: the states of the glossary.
State = Literal[
    "failed",
    "cancelled",
    "blocked",
    "recovered",
    "running",
    "waiting",
    "done",
    "reused",
    "superseded",
]

#: In the order in which people want to see them: what needs a person first.
STATES: tuple[State, ...] = get_args(State)
