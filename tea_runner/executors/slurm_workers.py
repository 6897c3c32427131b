"""Burst workers of a server as tasks of Slurm arrays: as many as jobs wait, with a cap."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tea_runner.core.errors import UserError
from tea_runner.core.planning.worker_requirement import read_class
from tea_runner.executors.slurm_client import SlurmClient, SlurmTask
from tea_runner.executors.slurm_request import ARRAY_SIZE

#: States of workers that have not begun, and so take none of the jobs that wait yet.
_WAITING = frozenset(["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD"])
_MEBI = 1 << 20
_COMMENT = "tea:"


class WorkersToStart(NamedTuple):
    """What to do about the workers of one class of jobs."""

    start: int
    #: Arrays whose tasks that have not begun are not needed any more.
    cancel: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SlurmWorkers:
    """The workers of one server.

    :param words: the command line of tea-runner on a node, without a verb.
    :param options: the operator's options of sbatch; they come last, so they count.
    :param labels: options for labels that pipelines may ask for; no other label is served.
    :param most: workers at once, of all classes.
    :param name: of the jobs in Slurm; another server of the same user has another one.
    :param warning: seconds before the end of its time at which a worker is told to stop.
    """

    client: SlurmClient
    words: Sequence[str]
    options: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    most: int
    name: str
    warning: int

    def adjust(self, waiting: Mapping[str, int]) -> Mapping[str, WorkersToStart]:
        """Start workers for jobs that wait, and cancel those that nothing waits for.

        :param waiting: classes of jobs to how many wait; see :func:`class_options`.
        :returns: what was done, for classes where something was.
        :raises OutsideError: when Slurm refuses or does not answer.
        """
        changes = workers_to_start(waiting, self.client.tasks(self.name), self.most)
        for worker_class, change in changes.items():
            self.client.cancel_waiting(change.cancel)
            if change.start:
                options = class_options(worker_class, self.labels)
                self._submit(worker_class, options, change.start)
        return changes

    def _submit(self, worker_class: str, request: Sequence[str], number: int) -> None:
        named = [f"--array=0-{number - 1}", f"--job-name={self.name}", "--no-requeue"]
        named += [f"--comment={_COMMENT}{worker_class}", "--output=/dev/null"]
        named += [f"--signal=B:TERM@{self.warning}"]
        words = [*self.words, *label_flags(worker_class), "worker", "-j", "1", "--burst"]
        script = f"#!/bin/sh\nexec {shlex.join(words)}\n"
        self.client.submit(script, [*named, *request, *self.options])

    def cancel_waiting(self) -> None:
        """Cancel the workers that have not begun; those that run end by themselves.

        :raises OutsideError: when Slurm does not answer.
        """
        tasks = self.client.tasks(self.name)
        self.client.cancel_waiting(sorted({each.array for each in tasks}))


def workers_to_start(
    waiting: Mapping[str, int], tasks: Sequence[SlurmTask], most: int
) -> Mapping[str, WorkersToStart]:
    """How many workers of each class to start, and which arrays not to wait for.

    Workers that run take the next job when theirs has ended; only those that have not begun count against
    the jobs that wait.

    :param waiting: classes of jobs to how many wait.
    :param tasks: all workers that Slurm has.
    :param most: workers at once.
    """
    idle: Counter[str] = Counter()
    arrays: dict[str, dict[str, None]] = {}
    for task in tasks:
        if task.state in _WAITING:
            worker_class = task.comment.removeprefix(_COMMENT)
            idle[worker_class] += 1
            arrays.setdefault(worker_class, {})[task.array] = None
    changes = {}
    room = most - len(tasks)
    for worker_class, number in sorted(waiting.items()):
        start = max(0, min(number - idle[worker_class], room, ARRAY_SIZE))
        if start:
            room -= start
            changes[worker_class] = WorkersToStart(start)
    for worker_class, names in arrays.items():
        if not waiting.get(worker_class):
            changes[worker_class] = WorkersToStart(0, tuple(names))
    return changes


def label_flags(worker_class: str) -> tuple[str, ...]:
    """Options of tea-runner with which a worker offers the labels of a class; the rest it finds itself."""
    labels = read_class(worker_class)[1].labels
    return ("-c", f"worker.offers={json.dumps({'labels': labels})}") if labels else ()


def class_options(worker_class: str, labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Options of sbatch for workers of a class of jobs, such as ``host,cpu=4,memory=8e9,gpu=1,label=big``.

    :param labels: options for labels that the operator lists.
    :raises UserError: for a label that is not listed.
    """
    demand = read_class(worker_class)[1]
    options: list[str] = []
    for label in demand.labels:
        if label not in labels:
            raise UserError(
                f"slurm.labels has no options for jobs with the label {label}",
                hint=f"list it, such as {label}=--partition={label}",
            )
        options += labels[label]
    request = []
    if demand.cpu:
        request.append(f"--cpus-per-task={math.ceil(demand.cpu)}")
    if demand.memory:
        request.append(f"--mem={math.ceil(demand.memory / _MEBI)}M")
    if demand.disk:
        request.append(f"--tmp={math.ceil(demand.disk / _MEBI)}M")
    if demand.gpu:
        # Pachyderm's type is a Kubernetes name; only a plain word names a type of gres.
        kind = demand.gpu_type
        named = f":{kind}" if kind.replace("_", "").isalnum() else ""
        request.append(f"--gres=gpu{named}:{demand.gpu}")
    return (*request, *options)
