"""Differences between the outputs that a manifest lists and those in the tree: missing or edited ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.hash_object import object_id
from tea_runner.core.git.tree import LINK, TREE, TreeEntry, lookup
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import manifest_output
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_manifest import read_manifest


class ChangedOutputs(NamedTuple):
    """Datums of a manifest whose outputs are not in the tree as the manifest lists them, sorted."""

    #: Datums with outputs that are not in the tree.
    missing: tuple[str, ...] = ()
    #: Datums with outputs that have another content or mode in the tree.
    edited: tuple[str, ...] = ()


NO_CHANGED_OUTPUTS = ChangedOutputs()


def changed_outputs(tip: CommitReader, pipeline: Pipeline, before: Manifest) -> ChangedOutputs:
    """All differences of a pipeline's outputs.

    :param before: the manifest at the commit.
    """
    # Rows in any order: to sort all of them would take longer than to look them up.
    rows = (row for piece in before.pieces for row in piece.rows)
    return differences_of(tip, pipeline, rows)


def differences_of(tip: CommitReader, pipeline: Pipeline, rows: Iterable[Row]) -> ChangedOutputs:
    """The differences of the outputs of some rows."""
    missing: set[str] = set()
    unlike: list[_Unlike] = []
    for found in _unlike(tip, pipeline, rows):
        if found.entry is None:
            missing.add(found.datum)
        else:
            unlike.append(found)
    edited = {each.datum for each in _edited(tip, unlike)} - missing
    return ChangedOutputs(tuple(sorted(missing)), tuple(sorted(edited)))


def edited_paths(tip: CommitReader, pipeline: Pipeline, rows: Iterable[Row]) -> list[str]:
    """Paths in the dataset of the edited outputs of some rows."""
    unlike = [each for each in _unlike(tip, pipeline, rows) if each.entry is not None]
    return [each.path for each in _edited(tip, unlike)]


def put_back_sentence(tip: CommitReader, plan: PipelinePlan) -> str:
    """A sentence about outputs that were changed by hand; empty without such."""
    labels = [decision.label for decision in plan.moving if decision.reason == "edited"]
    if not labels:
        return ""
    before = read_manifest(tip.tree, plan.pipeline.home)
    rows = [row for label in labels if (row := before.row(label)) is not None]
    paths = edited_paths(tip, plan.pipeline, rows)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return (
        f"changed by hand, now put back: {', '.join(paths[:1])}{more}; "
        "to keep an edit, save it outside of the pipeline's outputs"
    )


def home_tree(tip: CommitReader, pipeline: Pipeline) -> str:
    """Id of the tree at the pipeline's home; empty where there is none."""
    home = tip.tree.entry(pipeline.home)
    return home.oid if home is not None and home.mode == TREE else ""


class _Unlike(NamedTuple):
    """An output whose tree entry is not the one that a results commit writes."""

    datum: str
    path: str
    content: str
    #: None where the tree has no such file.
    entry: TreeEntry | None


def _unlike(tip: CommitReader, pipeline: Pipeline, rows: Iterable[Row]) -> Iterator[_Unlike]:
    read, tree = tip.tree.objects.tree, home_tree(tip, pipeline)
    for row in rows:
        contents = row.contents or ("",) * len(row.outputs)
        for path, content in zip(row.paths, contents, strict=True):
            entry = lookup(read, tree, path) if tree else None
            full = join(pipeline.home, path)
            if entry is None or (content and not _is_entry(entry, content, full)):
                yield _Unlike(row.datum, full, content, entry)


def _is_entry(entry: TreeEntry, content: str, path: str) -> bool:
    """Whether a tree entry is the one that a results commit writes for an output."""
    output = manifest_output("", content, 0)
    if output.kind != "annex":
        return entry == (output.mode, output.name)
    target = link_target(content, path).encode("utf-8", "surrogateescape")
    return entry == (LINK, object_id("blob", target, len(entry.oid)))


def _edited(tip: CommitReader, unlike: list[_Unlike]) -> Iterator[_Unlike]:
    """Those with another content or mode; an unlocked annexed file has the same."""
    entries = [each.entry for each in unlike if each.entry is not None]
    blobs = tip.tree.objects.small_blobs(dict.fromkeys(entry.oid for entry in entries))
    for each, entry in zip(unlike, entries, strict=True):
        data = blobs[entry.oid]
        if data is None or pointer_key(entry.mode, data) != each.content:
            yield each
