"""Run whose jobs are with Slurm while no command waits, and the file of the clone that tells of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tea_runner.core.errors import OutsideError
from tea_runner.host.private_folder import make_private_folder

#: Most bytes of the file: failures of 100,000 datums, each with a sentence.
_LARGEST = 64 << 20


@dataclass(frozen=True, kw_only=True)
class DetachedRun:
    """What the next job that settles must know, and what ``tea-runner status`` tells."""

    branch: str
    #: Names that were given to ``tea-runner run``; none for all pipelines.
    pipelines: tuple[str, ...] = ()
    #: Whether results go to the branch itself, whichever it is.
    here: bool = False
    #: Folder of the jobs of this round, and how many there are.
    folder: str = ""
    jobs: int = 0
    #: For each array of Slurm the jobs of its tasks.
    arrays: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    #: Id of the job of Slurm that settles this round.
    settle: str = ""
    #: Keys of datums that failed so far, to error sentences.
    failed: Mapping[str, str] = field(default_factory=dict)
    #: Keys of datums whose task ended without an outcome, to how often.
    lost: Mapping[str, int] = field(default_factory=dict)
    #: Pipelines whose results were committed, as rows of ``tea-runner run --json``.
    published: tuple[Mapping[str, Any], ...] = ()
    #: Results commits, the oldest first.
    results: tuple[str, ...] = ()
    #: Exit code of the run; None while it is under way.
    code: int | None = None
    #: Why it ended before all was done; empty when it did not.
    error: str = ""

    @property
    def slurm_jobs(self) -> Sequence[str]:
        """Ids of the arrays, and of the job that settles."""
        return [*self.arrays, *([self.settle] if self.settle else [])]


class DetachedRunFile:
    """The detached run of a clone; there is one at most."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet.

        :param folder: below ``.git``, on storage that all nodes see.
        """
        self._folder = folder
        self._path = folder / "run.json"
        #: Receives what the jobs that settle print.
        self.log = folder / "settle.log"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock against others that begin or settle a run; waits for them.

        :raises OutsideError: when the folder cannot be written.
        """
        make_private_folder(self._folder, "clone")
        try:
            file = (self._folder / "lock").open("ab")
        except OSError as error:
            raise OutsideError(f"{self._folder} cannot be written: {error.strerror}") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read(self) -> DetachedRun | None:
        """The last run; None when there was none.

        :raises OutsideError: when the file cannot be read.
        """
        try:
            with self._path.open(encoding="utf-8", errors="surrogateescape") as file:
                return _read(file.read(_LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise OutsideError(
                f"{self._path} cannot be read: {error}",
                hint="remove it when no detached run is under way (squeue)",
            ) from error

    def write(self, run: DetachedRun) -> None:
        """Replace what is known.

        :raises OutsideError: when the file cannot be written.
        """
        partial = self._folder / f"run.{os.getpid()}.partial"
        try:
            partial.write_text(json.dumps(asdict(run)), errors="surrogateescape")
            partial.replace(self._path)
        except OSError as error:
            raise OutsideError(f"{self._path} cannot be written: {error.strerror}") from error


def _read(text: str) -> DetachedRun:
    document = json.loads(text)
    code = document["code"]
    arrays = {
        str(array): {int(task): int(number) for task, number in tasks.items()}
        for array, tasks in document["arrays"].items()
    }
    return DetachedRun(
        branch=str(document["branch"]),
        pipelines=tuple(map(str, document["pipelines"])),
        here=bool(document["here"]),
        folder=str(document["folder"]),
        jobs=int(document["jobs"]),
        arrays=arrays,
        settle=str(document["settle"]),
        failed={str(key): str(why) for key, why in document["failed"].items()},
        lost={str(key): int(times) for key, times in document["lost"].items()},
        published=tuple(dict(row) for row in document["published"]),
        results=tuple(map(str, document["results"])),
        code=None if code is None else int(code),
        error=str(document["error"]),
    )
