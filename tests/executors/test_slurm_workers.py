"""How many workers are started in Slurm, and with which options."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import UserError
from tea_runner.executors.slurm_client import SlurmTask
from tea_runner.executors.slurm_time import seconds_left
from tea_runner.executors.slurm_workers import (
    WorkersToStart,
    class_options,
    label_flags,
    workers_to_start,
)
from tea_runner.settings.worker_offer_options import read_offers


def _tasks(*states: str, comment: str = "tea:host") -> list[SlurmTask]:
    return [SlurmTask("7", state, comment) for state in states]


@pytest.mark.parametrize(
    ("waiting", "tasks", "expected"),
    [
        ({"host": 0}, [], {}),
        ({"host": 3}, [], {"host": WorkersToStart(3)}),
        ({"host": 30}, [], {"host": WorkersToStart(10)}),
        ({"host": 3}, _tasks("PENDING", "RUNNING"), {"host": WorkersToStart(2)}),
        ({"host": 9}, _tasks(*["RUNNING"] * 8), {"host": WorkersToStart(2)}),
        ({"host": 9}, _tasks(*["RUNNING"] * 12), {}),
        ({"host": 0}, _tasks("PENDING", "PENDING", "RUNNING"), {"host": WorkersToStart(0, ("7",))}),
        (
            {"host": 0, "apptainer": 2},
            _tasks("PENDING"),
            {"apptainer": WorkersToStart(2), "host": WorkersToStart(0, ("7",))},
        ),
        (
            {"host": 8, "apptainer": 8},
            [],
            {"apptainer": WorkersToStart(8), "host": WorkersToStart(2)},
        ),
    ],
)
def test_as_many_workers_as_jobs_wait(
    waiting: dict[str, int], tasks: list[SlurmTask], expected: dict[str, WorkersToStart]
) -> None:
    """At most ten, and those that have not begun count."""
    assert expected == workers_to_start(waiting, tasks, 10)


@pytest.mark.parametrize(
    ("worker_class", "options"),
    [
        ("host", ()),
        ("host,cpu=1.5,memory=1073741824", ("--cpus-per-task=2", "--mem=1024M")),
        ("host,gpu=2", ("--gres=gpu:2",)),
        ("container,gpu=1,gpu-type=a100", ("--gres=gpu:a100:1",)),
        ("container,gpu=1,gpu-type=nvidia.com/gpu", ("--gres=gpu:1",)),
        ("host,disk=1048576,label=big", ("--tmp=1M", "--partition=big", "--exclusive")),
    ],
)
def test_options_are_those_of_the_class(worker_class: str, options: tuple[str, ...]) -> None:
    """Resources by number, labels by the operator's list."""
    labels = {"big": ["--partition=big", "--exclusive"]}
    assert options == class_options(worker_class, labels)


def test_a_worker_offers_the_labels_for_which_it_is_started() -> None:
    """Otherwise it would take none of the jobs."""
    flags = label_flags("host,cpu=4,label=big")
    assert ("-c", 'worker.offers={"labels": ["big"]}') == flags
    assert ("big",) == read_offers(flags[1].partition("=")[2]).labels
    assert () == label_flags("host,cpu=4")


def test_a_label_that_the_operator_does_not_list_is_refused() -> None:
    """No pipeline file sets an option by itself."""
    with pytest.raises(UserError, match="no options for jobs with the label mine"):
        class_options("host,label=mine", {"big": ["--partition=big"]})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5:00", 300.0),
        ("1:00:01", 3601.0),
        ("1-02:03:04", 93784.0),
        ("UNLIMITED", None),
        ("", None),
    ],
)
def test_time_is_read_as_squeue_prints_it(text: str, seconds: float | None) -> None:
    """Days, hours, minutes, seconds; None for no limit."""
    assert seconds == seconds_left(text)
