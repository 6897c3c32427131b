"""Comparison of a datum's outputs with the files of its result in a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from tea_runner.core.datums.content_identity import Content, blob_content, key_content
from tea_runner.core.datums.file_fact import FileFact, LinkedFile
from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import LINK
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import ResultFile
from tea_runner.flow.commit_reader import CommitReader

_T = TypeVar("_T")


def differing_paths(
    pipeline: Pipeline, row: Row, made: Mapping[str, _T], is_same: Callable[[str, _T], bool]
) -> Iterator[str]:
    """Paths in the dataset of outputs that differ, are missing, or are new.

    :param row: the datum's row in the manifest.
    :param made: path below the datum's directory to output.
    :param is_same: whether the commit has this output at a path of the dataset.
    """
    for path in sorted({*row.outputs, *made}):
        full = join(pipeline.home, join(row.place, path))
        if not (path in row.outputs and path in made and is_same(full, made[path])):
            yield full


def is_same_result(tip: CommitReader, path: str, output: ResultFile) -> bool:
    """Whether a commit has the output of a result at this path."""
    if output.kind == "link":
        entry = tip.tree.entry(path)
        return entry is not None and entry.mode == LINK and entry.oid == output.name
    # An annex key does not record whether its file is executable.
    mode = output.mode if output.kind == "git" else None

    def has_content(fact: FileFact) -> bool:
        return output.name in (fact.oid, fact.key) or fact.content == content_of(tip, output)

    return is_same_file(tip, path, mode, has_content)


def is_same_file(
    tip: CommitReader, path: str, mode: int | None, has_content: Callable[[FileFact], bool]
) -> bool:
    """Whether a commit has a file of this mode and content at this path.

    :param mode: git's mode of a file that is not annexed; None for any.
    """
    entry = tip.tree.entry(path)
    if entry is None:
        return False
    try:
        fact = tip.files.fact(path)
    except UserError:
        return False
    if isinstance(fact, LinkedFile):
        return False
    if mode is not None and fact.key is None and entry.mode != mode:
        return False
    return has_content(fact)


def content_of(tip: CommitReader, output: ResultFile) -> Content | None:
    """The content identity of an output; None when its annex key has no hash of content."""
    if output.kind == "annex":
        return key_content(output.name)
    return blob_content(output.name, tip.tree.objects.blob(output.name), tip.files.algorithm)
