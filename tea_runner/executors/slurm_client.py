"""Slurm's commands sbatch, squeue and scancel, for arrays of tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tea_runner.core.errors import CommandError, OutsideError
from tea_runner.host import process

#: States after which a task does not run again by itself (squeue(1), JOB STATE CODES).
ENDED = frozenset(
    [
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    ]
)
_ID = re.compile(r"[0-9]+")
#: Seconds that one command may take: a busy controller answers late.
_PATIENCE = 120.0


class SlurmTask(NamedTuple):
    """A task of an array that has not ended."""

    array: str
    state: str
    comment: str


class SlurmClient:
    """Calls the commands of one cluster."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Call nothing yet.

        :param variables: of the environment; tasks get them from sbatch, too.
        """
        self._variables = variables

    def submit(self, script: str, options: Sequence[str]) -> str:
        """Submit a batch script.

        :returns: the id of the job, or of the array.
        :raises OutsideError: when Slurm refuses it or does not answer.
        """
        said = self._call(["sbatch", "--parsable", *options], "submit jobs to Slurm", script)
        found = _ID.match(said.strip())
        if found is None:
            raise OutsideError(f"sbatch printed no id: {said.strip()[:200]}")
        return found.group()

    def states(self, arrays: Sequence[str]) -> Mapping[tuple[str, int], str]:
        """States of tasks by array and number; those that ended some minutes ago are not listed any more.

        :raises OutsideError: when Slurm does not answer.
        """
        argv = ["squeue", "--noheader", "--array", "--states=all", "--format=%F %K %T"]
        try:
            said = self._call([*argv, f"--jobs={','.join(arrays)}"], "look at jobs of Slurm")
        except CommandError as error:
            if "Invalid job id" in error.stderr:
                return {}
            raise
        states = {}
        for line in said.splitlines():
            words = line.split()
            if len(words) == 3 and words[1].isdigit():
                states[words[0], int(words[1])] = words[2]
        return states

    def listed(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """States of jobs by id, as far as Slurm knows the job still; an array has that of one of its tasks.

        :raises OutsideError: when Slurm does not answer.
        """
        argv = ["squeue", "--noheader", "--states=all", "--format=%F %T"]
        try:
            said = self._call([*argv, f"--jobs={','.join(jobs)}"], "look at jobs of Slurm")
        except CommandError as error:
            if "Invalid job id" in error.stderr:
                return {}
            raise
        rows = (line.split() for line in said.splitlines())
        return {words[0]: words[1] for words in rows if len(words) == 2}

    def tasks(self, name: str) -> Sequence[SlurmTask]:
        """Tasks with this name, of this user, that have not ended.

        :raises OutsideError: when Slurm does not answer.
        """
        argv = ["squeue", "--noheader", "--array", "--me", f"--name={name}", "--format=%F %T %k"]
        rows = (line.split(" ", 2) for line in self._call(argv, "look at workers").splitlines())
        return [SlurmTask(*words) for words in rows if len(words) == 3]

    def time_left(self, job: str) -> str:
        """Time that a job that runs may go on for, as squeue(1) prints it; empty when it does not run.

        :raises OutsideError: when Slurm does not answer.
        """
        argv = ["squeue", "--noheader", "--format=%L", f"--jobs={job}"]
        lines = self._call(argv, "look at a job of Slurm").split()
        return lines[0] if len(lines) == 1 else ""

    def cancel_waiting(self, jobs: Sequence[str]) -> None:
        """End jobs, or tasks of arrays, that have not begun.

        :raises OutsideError: when Slurm does not answer.
        """
        if jobs:
            self._call(["scancel", "--quiet", "--state=PENDING", *jobs], "cancel workers")

    def cancel(self, jobs: Sequence[str]) -> None:
        """End jobs or arrays, running or not; those that have ended stay as they are.

        :raises OutsideError: when Slurm does not answer.
        """
        if jobs:
            self._call(["scancel", "--quiet", *jobs], "cancel jobs of Slurm")

    def _call(self, argv: Sequence[str], why: str, script: str = "") -> str:
        try:
            done = process.run(
                argv, env=self._variables, stdin=script.encode(), timeout=_PATIENCE, why=why
            )
        except CommandError:
            raise
        except OutsideError as error:
            raise OutsideError(
                error.problem, hint="run this where Slurm's commands are, such as a login node"
            ) from error
        return done.stdout.decode("utf-8", "replace")
