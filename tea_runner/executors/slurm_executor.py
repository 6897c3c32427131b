"""Executor whose jobs are tasks of Slurm arrays."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.executors.job_folder import JobFolder, make_job_folder
from tea_runner.executors.slurm_client import ENDED, SlurmClient
from tea_runner.executors.slurm_request import ARRAY_SIZE, array_script, arrays_of, settle_script
from tea_runner.ports.executor import JobEnded

#: Seconds between two looks at the folder, and at Slurm.
_FOLDER, _SLURM = 1.0, 10.0
#: Times that a task is submitted whose node died, or that ended for another reason without an outcome.
TRIES = 3
#: Seconds in which a controller that does not answer may come back.
_RESTART = 900.0


@dataclass(frozen=True, kw_only=True)
class SlurmTasks:
    """Submits jobs of a folder as arrays.

    :param words: the command line of tea-runner on a node, without a verb.
    :param options: the operator's options of sbatch; they come last, so they count.
    :param most: tasks of one array that run at once; 0 for any number.
    :param request: options of sbatch for a job's resources.
    """

    client: SlurmClient
    words: Sequence[str]
    options: Sequence[str]
    most: int
    request: Callable[[Job], tuple[str, ...]]

    def submit(self, folder: JobFolder, jobs: Mapping[int, Job]) -> Mapping[str, Mapping[int, int]]:
        """Submit jobs by number.

        :returns: for each array the jobs of its tasks.
        :raises OutsideError: when Slurm refuses; what was submitted is cancelled.
        """
        groups: dict[tuple[str, ...], list[int]] = {}
        for number, job in jobs.items():
            groups.setdefault(self.request(job), []).append(number)
        arrays: dict[str, Mapping[int, int]] = {}
        try:
            for request, numbers in groups.items():
                for offset, tasks in arrays_of(numbers):
                    most = f"%{self.most}" if self.most else ""
                    named = [f"--array={tasks}{most}", "--output=/dev/null", "--requeue"]
                    script = array_script(self.words, str(folder.path), offset)
                    array = self.client.submit(script, [*named, *request, *self.options])
                    of_array = [n for n in numbers if offset <= n < offset + ARRAY_SIZE]
                    arrays[array] = {number - offset: number for number in of_array}
        except OutsideError:
            self.client.cancel(list(arrays))
            raise
        return arrays

    def submit_settle(self, arrays: Sequence[str], log: Path, options: Sequence[str]) -> str:
        """Submit the job that settles a detached run when all tasks of these arrays have ended.

        :param log: receives what it prints.
        :param options: the operator's for this job, after those for all.
        :returns: its id.
        :raises OutsideError: when Slurm refuses; the arrays are cancelled.
        """
        named = [f"--dependency=afterany:{':'.join(arrays)}", "--job-name=tea-settle", "--requeue"]
        named += ["--output=/dev/null", *self.options, *options]
        try:
            return self.client.submit(settle_script(self.words, str(log)), named)
        except OutsideError:
            self.client.cancel(arrays)
            raise


def failure_of_state(state: str) -> str:
    """Why a task failed for good, by its state (squeue(1)); empty when another try may help."""
    if state == "CANCELLED":
        return "its task was cancelled in Slurm"
    if state in ("TIMEOUT", "DEADLINE"):
        return (
            f"Slurm ended its task ({state}); ask for more time with job_timeout or slurm.options"
        )
    if state == "OUT_OF_MEMORY":
        return "Slurm ended its task (OUT_OF_MEMORY); ask for more with resource_limits.memory"
    return ""


class SlurmExecutor:
    """Submits all jobs of a round at once and waits for their outcomes."""

    def __init__(
        self, tasks: SlurmTasks, parent: Path, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Submit nothing yet.

        :param parent: a folder of the clone, on storage that all nodes see.
        """
        self._tasks, self._parent, self._sleep = tasks, parent, sleep

    def run(self, jobs: Sequence[Job], ended: JobEnded) -> None:
        """Carry out jobs; see the port."""
        numbered = dict(enumerate(jobs))
        folder = make_job_folder(self._parent, numbered)
        round_ = _Round(self._tasks, folder, ended, numbered)
        try:
            round_.submit(list(numbered))
            while round_.pending and round_.may_begin:
                round_.collect()
                if round_.pending and round_.may_begin:
                    round_.look()
                    self._sleep(_FOLDER)
            if round_.pending:
                self._tasks.client.cancel(list(round_.arrays))
        except BaseException:
            self._tasks.client.cancel(list(round_.arrays))
            raise
        finally:
            folder.remove()
        if round_.errors:
            raise round_.errors[0]

    def close(self) -> None:
        """Nothing stays open."""


@dataclass
class _Round:
    tasks: SlurmTasks
    folder: JobFolder
    ended: JobEnded
    pending: dict[int, Job]
    #: Job of each array's tasks; and the other way round, as of the last submission.
    arrays: dict[str, Mapping[int, int]] = field(default_factory=dict)
    place: dict[int, tuple[str, int]] = field(default_factory=dict)
    tries: Counter[int] = field(default_factory=Counter)
    #: Jobs whose task had ended at the last look; their outcome may be under way.
    gone: set[int] = field(default_factory=set)
    errors: list[OutsideError] = field(default_factory=list)
    #: Whether no outcome so far asked for an end.
    may_begin: bool = True
    looked: float = 0.0
    answered: float = field(default_factory=time.monotonic)

    def submit(self, numbers: Sequence[int]) -> None:
        """Submit pending jobs, for the first time or once more."""
        arrays = self.tasks.submit(self.folder, {n: self.pending[n] for n in numbers})
        self.arrays.update(arrays)
        for array, jobs in arrays.items():
            self.place.update({number: (array, task) for task, number in jobs.items()})
        self.tries.update(numbers)
        self.gone.difference_update(numbers)

    def collect(self) -> None:
        """Take the outcomes that have come."""
        again = []
        for number in self.folder.ended():
            outcome = self.folder.take_outcome(number)
            if number not in self.pending:
                continue
            if outcome.error is None:
                self._hand_over(number, outcome)
            elif self._may_try(number, outcome.error):
                again.append(number)
        if again:
            self.submit(again)

    def look(self) -> None:
        """Find tasks that have ended without an outcome; each must be seen so twice."""
        now = time.monotonic()
        if now - self.looked < _SLURM:
            return
        self.looked = now
        arrays = sorted({self.place[number][0] for number in self.pending})
        try:
            states = self.tasks.client.states(arrays)
        except OutsideError:
            if now - self.answered > _RESTART:
                raise
            return
        self.answered = now
        again = []
        for number in list(self.pending):
            state = states.get(self.place[number], "")
            if state and state not in ENDED:
                self.gone.discard(number)
            elif number not in self.gone:
                self.gone.add(number)
            elif why := failure_of_state(state):
                keys = [key for _, key in self.pending[number].datums]
                log = self.folder.task_output(number).encode()
                self._hand_over(number, JobOutcome(failures=dict.fromkeys(keys, why), log=log))
            elif self._may_try(number, self._lost(number, state)):
                again.append(number)
        if again:
            self.submit(again)

    def _hand_over(self, number: int, outcome: JobOutcome) -> None:
        self.may_begin &= self.ended(self.pending.pop(number), outcome)

    def _lost(self, number: int, state: str) -> OutsideError:
        said = self.folder.task_output(number)
        array, task = self.place[number]
        return OutsideError(
            f"task {array}_{task} of Slurm ended without an outcome ({state or 'no longer listed'})"
            + (f": {said}" if said else ""),
            hint="tea-runner must start on the nodes, in the same folder",
        )

    def _may_try(self, number: int, error: OutsideError) -> bool:
        if self.tries[number] < TRIES:
            return True
        self.pending.pop(number)
        self.errors.append(error)
        return False
