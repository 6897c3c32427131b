"""Bars on the terminal with what is done, the time so far and the time left."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from tea_runner.present.human_units import duration


class _LeftColumn(ProgressColumn):
    """The time left by the speed so far; empty until something is done."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None or task.finished else f"{duration(left)} left")


def progress_bars(*, quiet: bool) -> Progress:
    """Bars on stderr; none where it is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _LeftColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
    )
