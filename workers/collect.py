"""A command's output folder in, checked files ready to be saved out."""

from __future__ import annotations

from pathlib import Path

from tea_runner.adapters.outputs import Examined, examine
from tea_runner.adapters.save import Found
from tea_runner.core.errors import OutputRefused
from tea_runner.core.outputs import refusals

__all__ = ["collect"]


def collect(out: Path, view: Path, directory: str, *, files: int, size: int) -> list[Found]:
    """All files below *out*, which nobody writes to any more.

    :param view: the command's inputs, for links into them: those are copied.
    :param directory: where in the dataset the outputs go, for the rules about names.
    :param files: most files.
    :param size: most bytes of all of them.
    :raises OutputRefused: naming the first thing that may not become a result.
    """
    entries = examine(out, files=files, size=size)
    prefix = directory + "/" if directory else ""
    for refusal in refusals([prefix + entry.path for entry in entries]):
        raise OutputRefused(refusal)
    return [_found(entry, out, view) for entry in entries]


def _found(entry: Examined, out: Path, view: Path) -> Found:
    if entry.kind == "symlink":
        return Found(entry.path, out / entry.path, 0, False, link=entry.target)
    if entry.kind == "input link":
        file = view / entry.target.removeprefix("/pfs/")
        if not file.is_file():
            raise OutputRefused(
                f"output {entry.path} is a link to {entry.target}, which is no file of an input; "
                f"write a copy instead"
            )
        return Found(entry.path, file, file.stat().st_size, False)
    return Found(entry.path, out / entry.path, entry.size, entry.executable)
