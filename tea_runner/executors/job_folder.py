"""Folder with numbered jobs and their outcomes, on storage that the nodes of a cluster share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.core.planning.job import Job, job_text, read_job
from tea_runner.core.planning.job_outcome import JobOutcome, read_outcome
from tea_runner.host.private_folder import make_private_folder

#: Most bytes of an outcome: failures of 500 datums, each with a sentence.
_LARGEST_OUTCOME = 16 << 20


class JobFolder:
    """Jobs as ``N.job``; the outcome of each as ``N.outcome``, with what was printed as ``N.log``."""

    def __init__(self, path: Path) -> None:
        """Open a folder of :func:`make_job_folder`.

        :param path: absolute.
        """
        self.path = path

    def job(self, number: int) -> Job:
        """One job.

        :raises NotFound: when there is none of this number.
        :raises Refused: when the file is no job.
        """
        try:
            return read_job((self.path / f"{number}.job").read_text())
        except OSError as error:
            raise NotFound(
                f"{self.path} has no job {number}",
                hint="tea-runner run writes jobs, and removes them when it ends",
            ) from error

    def write_outcome(self, number: int, outcome: JobOutcome) -> None:
        """Write the outcome of a job, so that a reader sees all of it or nothing.

        :raises OutsideError: when the folder cannot be written, or was removed.
        """
        try:
            (self.path / f"{number}.log").write_bytes(outcome.log)
            partial = self.path / f"{number}.{os.getpid()}.partial"
            partial.write_text(outcome.to_json())
            partial.replace(self.path / f"{number}.outcome")
        except OSError as error:
            raise OutsideError(f"{self.path} cannot be written: {error.strerror}") from error

    def ended(self) -> Sequence[int]:
        """Numbers of the jobs that have an outcome.

        :raises OutsideError: when the folder cannot be read.
        """
        try:
            # A new listing also makes NFS clients look for new files.
            names = os.listdir(self.path)
        except OSError as error:
            raise OutsideError(f"{self.path} cannot be read: {error.strerror}") from error
        return sorted(int(n.removesuffix(".outcome")) for n in names if n.endswith(".outcome"))

    def outcome(self, number: int) -> JobOutcome:
        """The outcome of an ended job.

        :raises OutsideError: when it cannot be read.
        """
        path, log = self.path / f"{number}.outcome", self.path / f"{number}.log"
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                return read_outcome(file.read(_LARGEST_OUTCOME), log.read_bytes())
        except OSError as error:
            raise OutsideError(f"{path} cannot be read: {error.strerror}") from error

    def take_outcome(self, number: int) -> JobOutcome:
        """The outcome of an ended job, whose files are removed.

        :raises OutsideError: when it cannot be read.
        """
        outcome = self.outcome(number)
        try:
            for kind in ("outcome", "log"):
                (self.path / f"{number}.{kind}").unlink()
        except OSError as error:
            raise OutsideError(f"{self.path} cannot be written: {error.strerror}") from error
        return outcome

    def task_output(self, number: int) -> str:
        """The last line that the program of a task printed itself; empty when there is none."""
        try:
            text = (self.path / f"{number}.out").read_bytes()[-4096:].decode("utf-8", "replace")
        except OSError:
            return ""
        lines = text.split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def remove(self) -> None:
        """Remove the folder; a task that has not begun finds no job then."""
        shutil.rmtree(self.path, ignore_errors=True)


def make_job_folder(parent: Path, jobs: Mapping[int, Job]) -> JobFolder:
    """A new folder with these jobs.

    :param parent: a folder of the clone, on storage that all nodes see.
    :raises OutsideError: when it cannot be written.
    """
    make_private_folder(parent, "clone")
    try:
        folder = JobFolder(Path(tempfile.mkdtemp(dir=parent.absolute())))
        for number, job in jobs.items():
            (folder.path / f"{number}.job").write_text(job_text(job))
    except OSError as error:
        raise OutsideError(f"{parent} cannot be written: {error.strerror}") from error
    return folder
