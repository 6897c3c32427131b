"""A command's output folder in, checked files ready to be saved out."""

from __future__ import annotations

from pathlib import Path

from tea_runner.adapters.outputs import Bounds, examine
from tea_runner.adapters.save import Found
from tea_runner.core.errors import OutputRefused
from tea_runner.core.outputs import Output, Rules, require


def collect(
    out: Path,
    view: Path,
    home: str,
    *,
    bounds: Bounds,
    taken: frozenset[str] = frozenset(),
    pfs: str = "/pfs",
    out_at: str = "/pfs/out",
) -> list[Found]:
    """All files below *out*, which nobody writes to any more.

    :param view: the command's inputs, for links into them: those are copied.
    :param home: where in the dataset the outputs go.
    :param taken: paths of the dataset that are not results: the pipeline's file and its code.
    :param pfs: how the command sees *view*; *out_at* how it sees *out*.
    :raises OutputRefused: naming what may not become a result.
    """
    rules = Rules(taken=taken)
    examination = examine(out, home=home, rules=rules, bounds=bounds, pfs=pfs, out_at=out_at)
    require(examination.refused)
    return [_found(output, out, view) for output in examination.outputs]


def _found(output: Output, out: Path, view: Path) -> Found:
    if output.kind == "symlink":
        return Found(output.path, out / output.path, 0, False, link=output.target)
    if output.kind == "input link":
        file = view / output.target
        if not file.is_file() or not file.resolve().is_relative_to(view.resolve()):
            raise OutputRefused(
                f"output {output.path} is a link to input {output.target}, which is no file; "
                f"write a copy instead"
            )
        return Found(output.path, file, file.stat().st_size, False)
    return Found(output.path, out / output.path, output.size, output.executable)
