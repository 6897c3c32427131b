"""Collects the outputs of a command, checked, to be saved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tea_runner.core.errors import OutputRefused
from tea_runner.core.results.refused_outputs import (
    OutputNameRules,
    WrittenFile,
    raise_refusals,
    refusals,
)
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
    rules = OutputNameRules.of(bounds.names, reserved)
    scan = scan_outputs(out, home=home, rules=rules, limits=bounds, pfs=pfs, out_at=out_at)
    raise_refusals(scan.refused)
    outputs = list(_follow_folders(scan.outputs, view, bounds))
    if len(outputs) != len(scan.outputs):
        raise_refusals(refusals(outputs, home=home, rules=rules))
    linked = [view / output.target for output in outputs if output.kind == "input link"]
    size = scan.size + sum(
        file.stat().st_size for file in linked if _is_inside(file, view) and file.is_file()
    )
    if bounds.size is not None and size > bounds.size:
        raise OutputRefused(f"the outputs are larger than the limit of {bounds.size} bytes")
    return [_to_save(output, out, view, from_input) for output in outputs]


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
    rules = OutputNameRules.of(bounds.names, reserved)
    scan = scan_outputs(place, home=home, rules=rules, limits=bounds, declared=wanted)
    raise_refusals(scan.refused)
    for path, full in zip(wanted, declared, strict=True):
        if not any(is_below(output.path, [path]) for output in scan.outputs):
            raise OutputRefused(f"declared output {full} was not made")
    return [_to_save(output, place, tree) for output in scan.outputs]


def _follow_folders(
    outputs: Iterable[WrittenFile], view: Path, bounds: OutputLimits
) -> Iterator[WrittenFile]:
    """The outputs, with a link to each file instead of a link to a folder of the inputs.

    :raises OutputRefused: when these are more than the limits allow.
    """
    count = 0
    for output in outputs:
        folder = view / output.target
        if output.kind != "input link" or not _is_inside(folder, view) or not folder.is_dir():
            yield output
            continue
        for parent, folders, names in os.walk(folder):
            folders.sort()
            below = os.path.relpath(parent, folder)
            inside = "" if below == "." else f"{below}/"
            for name in sorted(names):
                count += 1
                if bounds.files is not None and count > bounds.files:
                    raise OutputRefused(
                        f"the outputs are more than the limit of {bounds.files} files"
                    )
                yield replace(
                    output,
                    path=f"{output.path}/{inside}{name}",
                    target=f"{output.target}/{inside}{name}",
                )


def _is_inside(file: Path, view: Path) -> bool:
    return file.resolve().is_relative_to(view.resolve())


def _with_one_name(file: Path, out: Path) -> Path:
    """The file, or a copy beside the outputs if it has several names: saving moves files."""
    if os.lstat(file).st_nlink == 1:
        return file
    copies = out.parent / "copies"
    copies.mkdir(mode=0o700, exist_ok=True)
    descriptor, copy = tempfile.mkstemp(dir=copies)
    os.close(descriptor)
    shutil.copyfile(file, copy)
    return Path(copy)


def _to_save(
    output: WrittenFile, out: Path, view: Path, from_input: FromInput = lambda _seen, _path: None
) -> FileToSave:
    if output.kind == "symlink":
        return FileToSave(output.path, out / output.path, 0, False, link=output.target)
    if output.kind == "input link":
        file = view / output.target
        if not file.is_file() or not _is_inside(file, view):
            raise OutputRefused(
                f"output {output.path} is a link to input {output.target}, which does not exist"
            )
        absent = from_input(output.target, output.path)
        return absent or FileToSave(output.path, file, file.stat().st_size, False)
    file = _with_one_name(out / output.path, out)
    return FileToSave(output.path, file, output.size, output.executable)
