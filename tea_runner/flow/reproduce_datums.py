"""Recomputation of datums in scratch, and comparison with the results in a commit.

Nothing is written into the dataset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.datum import is_label
from tea_runner.core.errors import JobError, NotFound, UserError
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.planning.recompute_verdict import Outcome, RecomputeVerdict, first_few
from tea_runner.core.results.manifest import Row
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.compare_outputs import differing_paths, is_same_file
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.resolve_at import pin_as_recorded


class ScratchFile(Protocol):
    """A file that a command left in scratch."""

    @property
    def path(self) -> str:
        """Path below ``/pfs/out``."""
        ...

    @property
    def link(self) -> str:
        """Target of a symlink; empty for a file."""
        ...

    @property
    def executable(self) -> bool:
        """Whether its owner may execute it."""
        ...

    def has_content(self, content: Content) -> bool:
        """Whether it has these bytes.

        :raises UserError: when the hash cannot be computed here.
        """
        ...


class ScratchDatum(Protocol):
    """A datum that was computed in scratch."""

    @property
    def item(self) -> KeyedDatum:
        """The datum and its key."""
        ...

    @property
    def files(self) -> Sequence[ScratchFile]:
        """Its outputs."""
        ...

    @property
    def error(self) -> JobError | None:
        """Why it has none, if it failed."""
        ...


#: Computes datums of a pipeline, each given by label and key.
Compute = Callable[[PipelineInputs, Sequence[tuple[str, str]]], Iterator[ScratchDatum]]


def reproduce_datums(
    tip: CommitReader, words: Sequence[str], compute: Compute
) -> Iterator[RecomputeVerdict]:
    """Compute datums with results at this commit again, one verdict each.

    :param words: pipelines, labels, ``PIPELINE LABEL``, or 8 or more first digits of keys; all
        datums when empty.
    :raises NotFound: when a word matches nothing, before anything is computed.
    :raises OutsideError: when git, a storage or the environment fails.
    """
    chosen: list[tuple[PipelineInputs, list[Row]]] = []
    matched: set[str] = set()
    for pipeline in tip.pipelines:
        results = read_manifest(tip.tree, pipeline.home)
        inputs = derive_inputs(tip, pin_as_recorded(pipeline, results))
        rows = []
        for row in results.rows:
            hits = {word for word in words if _matches(word, pipeline.name, row)}
            matched |= hits
            if hits or not words:
                rows.append(row)
        chosen.append((inputs, rows))
    missing = [word for word in words if word not in matched]
    if missing:
        raise NotFound(
            f"there is no pipeline or datum {missing[0]} with results in this commit",
            hint="tea-runner status --all lists them",
        )
    for inputs, rows in chosen:
        yield from _verify_pipeline(tip, inputs, rows, compute)


def _matches(word: str, pipeline: str, row: Row) -> bool:
    begins = len(word) >= 8 and row.key.startswith(word)
    return begins or word == pipeline or is_label(word, row.datum, pipeline)


def _verify_pipeline(
    tip: CommitReader, inputs: PipelineInputs, rows: Sequence[Row], compute: Compute
) -> Iterator[RecomputeVerdict]:
    def verdict(row: Row, outcome: Outcome, detail: str = "") -> RecomputeVerdict:
        return RecomputeVerdict(
            pipeline=inputs.pipeline.name,
            datum=row.datum,
            key=row.key,
            outcome=outcome,
            detail=detail,
        )

    keys = {item.label: item.key for item in inputs.keyed}
    current = {}
    for row in rows:
        if keys.get(row.datum) == row.key:
            current[row.datum] = row
        else:
            yield verdict(
                row, "skipped", "its inputs have changed since; reproduce an earlier --at"
            )
    if not current:
        return
    for computed in compute(inputs, [(row.datum, row.key) for row in current.values()]):
        row = current[computed.item.label]
        if computed.error is not None:
            yield verdict(row, "failed", " ".join(computed.error.message.split()))
            continue
        made = {file.path: file for file in computed.files}
        try:
            paths = list(differing_paths(inputs.pipeline, row, made, _comparison(tip)))
        except UserError as error:
            yield verdict(row, "skipped", error.message)
        else:
            yield verdict(row, "differs" if paths else "ok", first_few(paths))


def _comparison(tip: CommitReader) -> Callable[[str, ScratchFile], bool]:
    def is_same(path: str, file: ScratchFile) -> bool:
        if file.link:
            entry = tip.tree.entry(path)
            link = entry.oid if entry is not None and entry.mode == LINK else ""
            return bool(link) and tip.tree.objects.blob(link) == os.fsencode(file.link)
        mode = EXECUTABLE if file.executable else PLAIN
        return is_same_file(tip, path, mode, lambda fact: file.has_content(fact.content))

    return is_same
