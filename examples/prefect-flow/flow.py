"""Prefect flow that has tea-runner compute the datums of a dataset, each as a task run of its own.

Start it with: python flow.py DATASET
"""

from __future__ import annotations

import json
import subprocess  # noqa: TID251 - nothing of tea-runner is imported
import sys
from typing import Any

from prefect import flow, task

#: The command line of tea-runner.
TEA_RUNNER = [sys.executable, "-m", "tea_runner"]


def tea_runner(dataset: str, *words: str) -> str:
    """What tea-runner prints; its messages go to the log of the task run."""
    done = subprocess.run([*TEA_RUNNER, "-C", dataset, *words], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def missing_datums(dataset: str) -> list[dict[str, Any]]:
    """The datums that are to be computed now: those of pipelines whose inputs are there."""
    plan = json.loads(tea_runner(dataset, "--json", "plan"))
    return [
        {"pipeline": pipeline["name"], "label": datum["datum"], "key": datum["key"]}
        for pipeline in plan["pipelines"]
        for datum in pipeline["datums"]
        if datum["action"] == "run"
    ]


@task(task_run_name="{pipeline} {label}", retries=2)
def compute(dataset: str, pipeline: str, label: str, key: str) -> None:  # noqa: ARG001 - they name the run
    """Compute one datum; its result is kept in the dataset under its key."""
    tea_runner(dataset, "run", "-y", key)


@task(task_run_name="commit results")
def commit(dataset: str, pipelines: list[str]) -> None:
    """Commit the results of pipelines whose datums are all known, with their run records."""
    tea_runner(dataset, "run", "-y", *pipelines)


@flow(name="tea-runner")
def process(dataset: str) -> None:
    """Compute what is new or changed, pipeline after pipeline."""
    while datums := missing_datums(dataset):
        runs = [compute.submit(dataset=dataset, **datum) for datum in datums]
        for run in runs:
            run.result()
        commit(dataset, sorted({datum["pipeline"] for datum in datums}))


if __name__ == "__main__":
    process(sys.argv[1])
