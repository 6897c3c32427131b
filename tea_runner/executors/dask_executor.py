"""Executor whose jobs are tasks of a Dask cluster, seen on its dashboard by pipeline and datum."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import OutsideError
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.executors.dask_task import carry_out
from tea_runner.executors.job_folder import JobFolder, make_job_folder
from tea_runner.ports.executor import JobEnded

#: Seconds in which the scheduler must answer.
_PATIENCE = 30


class DaskExecutor:
    """Submits each job as a task; Dask itself repeats the tasks of workers that died."""

    def __init__(self, address: str, words: Sequence[str], parent: Path) -> None:
        """Connect to nothing yet.

        :param address: of the scheduler, such as ``tcp://host:8786``.
        :param words: the command line of tea-runner on a worker, without a verb.
        :param parent: a folder of the clone, on storage that all workers see.
        """
        self._address, self._words, self._parent = address, list(words), parent
        self._client: Any = None
        #: The package ``distributed``, which takes half a second to import.
        self._dask: Any = None

    def run(self, jobs: Sequence[Job], ended: JobEnded) -> None:
        """Carry out jobs; see the port."""
        client = self._connected()
        folder = make_job_folder(self._parent, dict(enumerate(jobs)))
        futures: dict[Any, int] = {}
        errors: list[OutsideError] = []
        try:
            for number, job in enumerate(jobs):
                words = [*self._words, "run-job", str(folder.path), str(number)]
                future = client.submit(carry_out, words, key=_name(job, folder), pure=False)
                futures[future] = number
            for future in self._dask.as_completed(futures, loop=client.loop):
                number = futures[future]
                try:
                    may_begin = ended(jobs[number], _outcome(number, future, folder))
                except OutsideError as error:
                    errors.append(error)
                    continue
                if not may_begin:
                    client.cancel(list(futures), force=True)
                    break
        except BaseException:
            client.cancel(list(futures), force=True)
            raise
        finally:
            folder.remove()
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Any:
        if self._client is None:
            try:
                self._dask = importlib.import_module("distributed")
            except ImportError as error:
                raise OutsideError(
                    "Dask is not installed", hint="pip install 'tea-runner[dask]'"
                ) from error
            try:
                self._client = self._dask.Client(
                    self._address, timeout=_PATIENCE, set_as_default=False
                )
            except (OSError, ValueError) as error:
                raise OutsideError(
                    f"the Dask scheduler at {self._address} does not answer: {error}",
                    hint="start it with: dask scheduler",
                ) from error
        return self._client


def _name(job: Job, folder: JobFolder) -> str:
    """The name of a task on the dashboard, which groups tasks by what stands before the last part."""
    label = shown_label(job.datums[0][0])
    more = f" +{len(job.datums) - 1}" if len(job.datums) > 1 else ""
    return f"{job.pipeline}-{label}{more} {folder.path.name}"


def _outcome(number: int, future: Any, folder: JobFolder) -> JobOutcome:
    """The outcome of a job whose task has ended.

    :raises OutsideError: when there is none.
    """
    if number in folder.ended():
        outcome = folder.take_outcome(number)
        if outcome.error is not None:
            raise outcome.error
        return outcome
    if future.status == "finished":
        code, said = future.result()
        raise OutsideError(
            f"a task of Dask ended with code {code} without an outcome{': ' + said if said else ''}",
            hint="the worker must see the dataset at the same path and have tea-runner",
        )
    raise OutsideError(f"a task of Dask was not carried out: {future.status}")
