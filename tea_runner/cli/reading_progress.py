"""A line on the terminal with what is being read; nothing where stderr is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from tea_runner.cli.main import Context


@contextlib.contextmanager
def progress_line(context: Context, count: Callable[[], int]) -> Iterator[Callable[[str], None]]:
    """Show a line on stderr while the block runs; the value names what is read next.

    :param count: the number of git objects read so far.
    """
    if context.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    # rich takes 50 ms to import.
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class CountColumn(ProgressColumn):
        def render(self, _: object) -> Text:
            return Text(f"{count()} git objects read")

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        CountColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading pipeline files", total=None)
        yield lambda text: progress.update(task, description=text)
