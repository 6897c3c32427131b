"""Lines on the terminal of ``tea-runner up``: one when a run begins, and one when it ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from tea_runner.broker.run_store import RunStore
from tea_runner.core.errors import QueueError
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import run_status
from tea_runner.present.state_words import SHAPES, run_sentence
from tea_runner.present.visible_text import visible

#: The latest runs, of which changes are told, and the seconds between two looks.
_LATEST, _PAUSE = 20, 1.0


class RunAnnouncer:
    """Tells new runs and ended ones; runs from before its first look are not told.

    :param tell: prints one line.
    """

    def __init__(self, runs: RunStore, tell: Callable[[str], None]) -> None:
        self._runs = runs
        self._tell = tell
        self._known: dict[str, bool] | None = None
        self._looked = 0.0

    def look(self) -> None:
        """Look once, at most once a second; costs two commands of Redis."""
        if time.monotonic() - self._looked < _PAUSE:
            return
        self._looked = time.monotonic()
        with contextlib.suppress(QueueError):
            heads = self._runs.recent(_LATEST)
            known = self._known
            self._known = {run.id: run.has_ended for run in heads}
            if known is not None:
                for run in reversed(heads):
                    if known.get(run.id) != run.has_ended:
                        self._tell(_line(run))


def _line(run: Run) -> str:
    status = run_status(run)
    clock = time.strftime("%H:%M:%S")
    about = f"{run.repository} {run.branch} {run.commit[:10]}"
    said = f"{SHAPES[status.state]} {status.state}"
    words = f": {run_sentence(status)}" if run.has_ended else f", run {run.id}"
    return visible(f"{clock}  {said}  {about}{words}  {run.title}".rstrip())
