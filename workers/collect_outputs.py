"""Collects the outputs of a command, checked, to be saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tea_runner.core.errors import OutputRefused
from tea_runner.core.results.output_policy import OutputNameRules, WrittenFile, raise_refusals
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.sandbox.scan_outputs import OutputLimits, is_below, scan_outputs

#: Path below ``/pfs`` of an input file that a link leads to, and path of the output, to the file to
#: save; None when the file in the view has the content.
FromInput = Callable[[str, str], FileToSave | None]


def collect(
    out: Path,
    view: Path,
    home: str,
    *,
    bounds: OutputLimits,
    reserved: frozenset[str] = frozenset(),
    pfs: str = "/pfs",
    out_at: str = "/pfs/out",
    from_input: FromInput = lambda _seen, _path: None,
) -> list[FileToSave]:
    """All files below the folder of outputs, after the command has ended.

    :param out: the folder of outputs.
    :param view: the command's inputs, for links into them: those are copied.
    :param home: where in the dataset the outputs go.
    :param reserved: paths of the dataset that are not results: the pipeline's file and its code.
    :param pfs: path of *view* for the command.
    :param out_at: path of *out* for the command.
    :param from_input: finds what placeholders of inputs stand for.
    :raises OutputRefused: naming what may not become a result.
    """
    rules = OutputNameRules(reserved=reserved)
    scan = scan_outputs(out, home=home, rules=rules, limits=bounds, pfs=pfs, out_at=out_at)
    raise_refusals(scan.refused)
    return [_to_save(output, out, view, from_input) for output in scan.outputs]


def collect_declared(
    tree: Path,
    home: str,
    declared: Sequence[str],
    *,
    bounds: OutputLimits,
    reserved: frozenset[str] = frozenset(),
) -> list[FileToSave]:
    """The declared outputs of ``view: dataset``, with paths relative to the pipeline's folder.

    :param tree: the dataset as the command left it.
    :param declared: paths of the dataset; a directory stands for all that is in it.
    :param reserved: as of :func:`collect`.
    :raises OutputRefused: when one was not made, or may not become a result.
    """
    place = tree
    for part in home.split("/") if home else ():
        place = place / part
        if place.is_symlink() or not place.is_dir():
            raise OutputRefused(f"the command replaced the folder {home} by something else")
    wanted = [path[len(home) :].lstrip("/") for path in declared]
    rules = OutputNameRules(reserved=reserved)
    scan = scan_outputs(place, home=home, rules=rules, limits=bounds, declared=wanted)
    raise_refusals(scan.refused)
    for path, full in zip(wanted, declared, strict=True):
        if not any(is_below(output.path, [path]) for output in scan.outputs):
            raise OutputRefused(f"declared output {full} was not made")
    return [_to_save(output, place, tree) for output in scan.outputs]


def _to_save(
    output: WrittenFile, out: Path, view: Path, from_input: FromInput = lambda _seen, _path: None
) -> FileToSave:
    if output.kind == "symlink":
        return FileToSave(output.path, out / output.path, 0, False, link=output.target)
    if output.kind == "input link":
        file = view / output.target
        if not file.is_file() or not file.resolve().is_relative_to(view.resolve()):
            raise OutputRefused(
                f"output {output.path} is a link to input {output.target}, which is no file; "
                f"write a copy instead"
            )
        absent = from_input(output.target, output.path)
        return absent or FileToSave(output.path, file, file.stat().st_size, False)
    return FileToSave(output.path, out / output.path, output.size, output.executable)
