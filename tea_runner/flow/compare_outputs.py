"""Bytes that a command gave and the tree that has its result in; the paths that differ out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tea_runner.core.datums.content_identity import Content, blob_content, key_content
from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import LINK
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.result import ResultFile
from tea_runner.flow.commit_view import CommitView


def differing_paths(
    tip: CommitView, pipeline: Pipeline, row: Row, outputs: Collection[ResultFile]
) -> Iterator[str]:
    """Paths in the dataset at which these outputs are not what stands there."""
    directory = "/".join(part for part in (pipeline.home, row.place) if part)
    before = f"{directory}/" if directory else ""
    made = {output.path: output for output in outputs}
    for path in sorted({*row.outputs, *made}):
        output = made.get(path)
        if output is None or path not in row.outputs or not _same(tip, before + path, output):
            yield before + path


def _same(tip: CommitView, full: str, output: ResultFile) -> bool:
    entry = tip.entry(full)
    if entry is None:
        return False
    if output.kind == "link":
        return entry.mode == LINK and entry.oid == output.name
    try:
        fact = tip.fact(full)
    except UserError:
        return False
    if output.kind == "git" and fact.key is None and entry.mode != output.mode:
        # What is annexed does not say whether it is executable.
        return False
    if output.name in (fact.oid, fact.key):
        return True
    return fact.content == content_of(tip, output)


def content_of(tip: CommitView, output: ResultFile) -> Content | None:
    """What bytes an output has."""
    if output.kind == "annex":
        return key_content(output.name)
    return blob_content(output.name, tip.objects.blob(output.name), tip.algorithm)
