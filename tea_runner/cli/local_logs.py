"""Logs that ``tea-runner run`` keeps of failed jobs, in the state folder: a log and a file about it each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.job import Job
from tea_runner.host.private_folder import make_private_folder

_ID = re.compile(r"[0-9a-f]{4,32}")
#: Seconds since 1970 at which this process began: its logs belong together.
_STARTED = time.time()


@dataclass(frozen=True, kw_only=True)
class LocalLog:
    """The log of one job of a run here."""

    id: str
    path: Path
    #: Folder of the dataset, the pipeline, and (label, key) of the datums that failed; empty when unknown.
    dataset: str = ""
    pipeline: str = ""
    datums: tuple[tuple[str, str], ...] = ()
    #: The commit that was run; empty when unknown.
    commit: str = ""
    #: When the run began, in seconds since 1970.
    run: float = 0.0

    def is_of(self, datum: str) -> bool:
        """Whether it is of this datum: by its label, as people or files write it, or by its key."""
        return any(
            datum in (label, shown_label(label)) or (len(datum) >= 7 and key.startswith(datum))
            for label, key in self.datums
        )


def keep_local_log(
    state: Path, job: Job, failed: Collection[str], output: bytes, dataset: Path
) -> Path:
    """Keep the log of a failed job; a later failure of the same job replaces it.

    :param failed: keys of the datums that failed.
    """
    folder = make_private_folder(state / "logs", "state")
    path = folder / f"{job.id}.log"
    path.write_bytes(output)
    about = {
        "dataset": str(dataset),
        "pipeline": job.pipeline,
        "datums": [list(pair) for pair in job.datums if pair[1] in failed],
        "commit": job.commit,
        "run": _STARTED,
    }
    path.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    return path


def local_logs(state: Path) -> Iterator[LocalLog]:
    """All that are kept, the latest first."""
    files = [path for path in (state / "logs").glob("*.log") if _ID.fullmatch(path.stem)]
    for path in sorted(files, key=_changed, reverse=True):
        yield _read(path)


def find_local_logs(state: Path, name: str) -> list[LocalLog]:
    """The log of this id or unique prefix, else those of the latest run that has this datum."""
    found = list(local_logs(state))
    by_id = [log for log in found if _ID.fullmatch(name) and log.id.startswith(name)]
    if len(by_id) == 1:
        return by_id
    of_datum = [log for log in found if log.is_of(name)]
    return of_datum[:1]


def latest_local_logs(state: Path, dataset: Path) -> list[LocalLog]:
    """Those of the latest run with failures in a dataset."""
    found = [log for log in local_logs(state) if log.dataset == str(dataset)]
    return [log for log in found if log.run == max(each.run for each in found)]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> LocalLog:
    """A log with what is known about it: earlier versions kept the log alone."""
    try:
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return LocalLog(
            id=path.stem,
            path=path,
            dataset=str(about["dataset"]),
            pipeline=str(about["pipeline"]),
            datums=tuple((str(label), str(key)) for label, key in about["datums"]),
            commit=str(about.get("commit", "")),
            run=float(about["run"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return LocalLog(id=path.stem, path=path)
