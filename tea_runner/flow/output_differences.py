"""Differences between the outputs that a manifest lists and those in the tree: missing or edited ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.tree import LINK, TREE, TreeEntry, lookup
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import manifest_output
from tea_runner.flow.commit_view import CommitView


class OutputDifferences(NamedTuple):
    """Datums of a manifest whose outputs are not in the tree as the manifest lists them, sorted."""

    #: Datums with outputs that are not in the tree.
    missing: tuple[str, ...] = ()
    #: Datums with outputs that have another content or mode in the tree.
    edited: tuple[str, ...] = ()


NO_DIFFERENCES = OutputDifferences()


def output_differences(tip: CommitView, pipeline: Pipeline, before: Manifest) -> OutputDifferences:
    """All differences of a pipeline's outputs.

    :param before: the manifest at the commit.
    """
    # Rows in any order: to sort all of them would take longer than to look them up.
    rows = (row for piece in before.pieces for row in piece.rows)
    return differences_of(tip, pipeline, rows)


def differences_of(tip: CommitView, pipeline: Pipeline, rows: Iterable[Row]) -> OutputDifferences:
    """The differences of the outputs of some rows."""
    read, tree = tip.tree.objects.tree, home_tree(tip, pipeline)
    missing: list[str] = []
    unlike: list[_Unlike] = []
    for row in rows:
        contents = row.contents or ("",) * len(row.outputs)
        for path, content in zip(row.paths, contents, strict=True):
            entry = lookup(read, tree, path) if tree else None
            if entry is None:
                missing.append(row.datum)
                break
            full = join(pipeline.home, path)
            if content and not _is_entry(entry, content, full):
                unlike.append(_Unlike(row.datum, full, content, entry))
    lost = frozenset(missing)
    edited = {each.datum for each in _edited(tip, unlike)} - lost
    return OutputDifferences(tuple(sorted(lost)), tuple(sorted(edited)))


def edited_paths(tip: CommitView, pipeline: Pipeline, rows: Iterable[Row]) -> list[str]:
    """Paths in the dataset of the edited outputs of some rows."""
    read, tree = tip.tree.objects.tree, home_tree(tip, pipeline)
    unlike = [
        _Unlike(row.datum, join(pipeline.home, path), content, entry)
        for row in rows
        for path, content in zip(row.paths, row.contents, strict=True)
        if tree and (entry := lookup(read, tree, path)) is not None
    ]
    return [each.path for each in _edited(tip, unlike)]


def home_tree(tip: CommitView, pipeline: Pipeline) -> str:
    """Id of the tree at the pipeline's home; empty where there is none."""
    home = tip.tree.entry(pipeline.home)
    return home.oid if home is not None and home.mode == TREE else ""


class _Unlike(NamedTuple):
    """An output whose tree entry is not the one that a results commit writes."""

    datum: str
    path: str
    content: str
    entry: TreeEntry


def _is_entry(entry: TreeEntry, content: str, path: str) -> bool:
    """Whether a tree entry is the one that a results commit writes for an output."""
    output = manifest_output("", content, 0)
    if output.kind != "annex":
        return entry == (output.mode, output.name)
    target = link_target(content, path).encode("utf-8", "surrogateescape")
    return entry == (LINK, _blob_id(target, len(entry.oid)))


def _blob_id(data: bytes, digits: int) -> str:
    """Git's object id of a blob, SHA-1 or, in a repository with 64 digits, SHA-256."""
    text = b"blob %d\0%s" % (len(data), data)
    if digits == 64:
        return hashlib.sha256(text).hexdigest()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _edited(tip: CommitView, unlike: list[_Unlike]) -> Iterator[_Unlike]:
    """Those with another content or mode; an unlocked annexed file has the same."""
    blobs = tip.tree.objects.small_blobs(dict.fromkeys(each.entry.oid for each in unlike))
    for each in unlike:
        if _is_entry(each.entry, each.content, each.path):
            continue
        data = blobs[each.entry.oid]
        if data is None or pointer_key(each.entry.mode, data) != each.content:
            yield each
