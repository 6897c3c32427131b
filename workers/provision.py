"""Makes folders with exactly the files that a datum's command may read.

Files are plain copies, never links into the annex, and readable by all; the folder above them is
closed to others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tea_runner.core.datums.view import FileFact, View
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs

#: A dataset (a path of subdatasets; empty for the one that is planned) and annex keys of it, to
#: files that hold their content; see :meth:`tea_runner.dataset.annex.Annex.get`.
GetContent = Callable[[str, Iterable[str]], Mapping[str, Path]]
#: A dataset, a blob of it, and the path to write it to.
WriteBlob = Callable[[str, str, Path], None]


def wanted_keys(
    work: PipelineInputs, views: Iterable[View], tip: CommitView
) -> dict[str, list[str]]:
    """Annex keys of all that these views show, each once, by the dataset that has them."""
    keys: dict[str, dict[str, None]] = {}
    leaves = pfs_leaves(work.pipeline.input)
    for view in views:
        for shown in view.files:
            if not leaves[shown.input].empty_files:
                source = work.sources[shown.input]
                key = source.fact(shown.path).key
                if key is not None:
                    keys.setdefault(source.dataset, {})[key] = None
    for path in (*work.code, work.image):
        key = tip.files.fact(path).key if path else None
        if key is not None:
            keys.setdefault("", {})[key] = None
    return {dataset: list(found) for dataset, found in keys.items()}


def make_code(
    room: Path, work: PipelineInputs, tip: CommitView, content: Mapping[str, Path], blob: WriteBlob
) -> None:
    """The dataset as the command sees it besides its inputs: the declared code files."""
    room.mkdir(mode=0o755, exist_ok=True)
    for path in work.code:
        _place(room / path, "", tip.files.fact(path), content, blob)


def make_view(
    room: Path, work: PipelineInputs, view: View, content: Mapping[str, Path], blob: WriteBlob
) -> None:
    """The inputs of one datum below *room*."""
    leaves = pfs_leaves(work.pipeline.input)
    room.mkdir(mode=0o755, exist_ok=True)
    for leaf in leaves:
        if work.pipeline.view == "pfs":
            (room / leaf.name).mkdir(mode=0o755, exist_ok=True)
    for seen in view.inputs:
        if seen.is_dir and work.pipeline.view == "pfs":
            (room / seen.path).mkdir(mode=0o755, parents=True, exist_ok=True)
    for shown in view.files:
        target = room / shown.visible
        if leaves[shown.input].empty_files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o444)
        else:
            source = work.sources[shown.input]
            _place(target, source.dataset, source.fact(shown.path), content, blob)


def _place(
    target: Path, dataset: str, fact: FileFact, content: Mapping[str, Path], blob: WriteBlob
) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if target.exists():
        return
    if fact.key is not None:
        shutil.copyfile(content[fact.key], target)
    else:
        blob(dataset, fact.oid, target)
    os.chmod(target, 0o555 if fact.executable else 0o444)
