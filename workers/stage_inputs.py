"""Makes folders with exactly the files that a datum's command may read.

Files are plain copies, never links into the annex, and readable by all; the folder above them is
closed to others.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tea_runner.core.datums.file_fact import GeneratedFile, LinkedFile
from tea_runner.core.datums.view import Located, View, ViewFile
from tea_runner.core.errors import ContentMissing, UserError
from tea_runner.core.pipeline import empty_inputs
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.host.world_readable_folder import make_world_readable_folder

#: Path of a subdataset (empty for the dataset itself) and annex keys of it, to files with their
#: content; see :meth:`tea_runner.dataset.annex_content.Annex.get`.
GetContent = Callable[[str, Iterable[str]], Mapping[str, Path]]
#: Files that an error names.
_NAMED = 3
#: Path of a subdataset, the id of a blob, and the file to write it to.
WriteBlob = Callable[[str, str, Path], None]


def wanted_keys(
    inputs: PipelineInputs, views: Iterable[View], tip: CommitReader
) -> dict[str, dict[str, str]]:
    """Annex keys of the files in these views, each with a file, by dataset (see :data:`GetContent`)."""
    keys: dict[str, dict[str, str]] = {}
    empty = empty_inputs(inputs.pipeline.input)
    for view in views:
        for shown in view.files:
            if shown.input not in empty:
                found = _content(inputs, shown)
                if found.fact.key is not None:
                    keys.setdefault(found.dataset, {}).setdefault(found.fact.key, found.path)
    for path in filter(None, (*inputs.code, inputs.image)):
        found = tip.locate(path)
        if found.fact.key is not None:
            keys.setdefault(found.dataset, {}).setdefault(found.fact.key, found.path)
    return keys


def _content(inputs: PipelineInputs, shown: ViewFile) -> Located:
    """Where the content of a file of a view is.

    :raises UserError: when it is a link that cannot be followed; plans have no jobs for such datums.
    """
    found = inputs.sources[shown.input].locate(shown.path)
    if isinstance(found.fact, LinkedFile) and found.fact.problem:
        raise UserError(found.fact.problem)
    return found


def name_missing_files(error: ContentMissing, files: Mapping[str, str]) -> ContentMissing:
    """The error with names of files in place of keys, and the command that mends it.

    :param files: key to a file with this content, as a path in the dataset.
    """
    paths = [files.get(key, key) for key in error.keys]
    named = ", ".join(paths[:_NAMED])
    if len(paths) > _NAMED:
        named += f" and {len(paths) - _NAMED} more"
    searched = ", ".join(error.storages)
    file = shlex.quote(paths[0])
    if error.storages == ("here",):
        hint = f"git annex get {file}; git annex whereis {file} tells who has it"
    elif not searched:
        hint = f"git annex whereis {file} tells who has it"
    else:
        words = " ".join(map(shlex.quote, paths[:_NAMED] if len(paths) <= _NAMED else ["."]))
        hint = (
            f"where the dataset has it, run: git annex copy --to {error.storages[0]} {words} && "
            f"git push origin git-annex"
        )
    return ContentMissing(
        f"{len(paths)} of {len(files)} files have no content in {searched or 'any storage'}: {named}"
        f"{' (' + error.reasons + ')' if error.reasons else ''}",
        error.keys,
        hint=hint,
        storages=error.storages,
        reasons=error.reasons,
    )


def make_code(
    folder: Path,
    inputs: PipelineInputs,
    tip: CommitReader,
    content: Mapping[str, Path],
    write_blob: WriteBlob,
) -> None:
    """Write the declared code files into a folder, at their paths in the dataset."""
    make_world_readable_folder(folder)
    for path in inputs.code:
        _write_file(folder / path, tip.locate(path), content, write_blob)


def make_view(
    folder: Path,
    inputs: PipelineInputs,
    view: View,
    content: Mapping[str, Path],
    write_blob: WriteBlob,
) -> None:
    """Write the inputs of one datum into a folder.

    An input of the pipeline that the datum has not leaves no trace: its name is not in the key.
    """
    empty = empty_inputs(inputs.pipeline.input)
    make_world_readable_folder(folder)
    for seen in view.inputs:
        if seen.is_dir and inputs.pipeline.view == "pfs":
            make_world_readable_folder(folder / seen.path)
    for shown in view.files:
        target = folder / shown.visible
        if shown.input in empty:
            make_world_readable_folder(target.parent)
            target.touch()
            target.chmod(0o644)
        else:
            _write_file(target, _content(inputs, shown), content, write_blob)


def _write_file(
    target: Path, found: Located, content: Mapping[str, Path], write_blob: WriteBlob
) -> None:
    fact = found.fact
    make_world_readable_folder(target.parent)
    if target.exists():
        return
    if isinstance(fact, GeneratedFile):
        target.write_bytes(fact.data)
    elif fact.key is not None:
        shutil.copyfile(content[fact.key], target)
    else:
        write_blob(found.dataset, fact.oid, target)
    # Commands cannot write to their inputs all the same; a copy of one can be changed.
    os.chmod(target, 0o755 if fact.executable else 0o644)
