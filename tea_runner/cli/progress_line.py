"""Reading that may take seconds in, a line on the terminal that says how far it is out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.text import Text

from tea_runner.cli.main import Context


class _Count(ProgressColumn):
    """A number that somebody else counts up."""

    def __init__(self, count: Callable[[], int]) -> None:
        super().__init__()
        self._count = count

    def render(self, task: Task) -> Text:  # noqa: ARG002 - one task only
        return Text(f"{self._count()} objects of git read")


class ProgressLine:
    """What is being read right now."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("reading pipeline files", total=None)

    def say(self, text: str) -> None:
        """Name what is read next."""
        self._progress.update(self._task, description=text)


@contextlib.contextmanager
def progress_line(context: Context, count: Callable[[], int]) -> Iterator[ProgressLine]:
    """A line on stderr while the block runs, where stderr is a terminal and nobody asked for quiet.

    :param count: how many objects were read so far.
    """
    shown = sys.stderr.isatty() and not context.quiet
    columns = (SpinnerColumn(), TextColumn("{task.description}"), _Count(count), Elapsed())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not shown
    ) as progress:
        yield ProgressLine(progress)
