"""Adoption of results that no trusted signature covers: a person vouches for what is in the tree.

A row is adopted if its key is the one that its inputs make now and all of its outputs are in the tree.
The others stay without a signature, so that their datums are computed again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, TreeEntry, edit_tree, lookup
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.manifest_text import edited_files
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import ResultFile
from tea_runner.core.results.run_conditions import TRUSTED
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.sign_manifest import dataset_signer
from tea_runner.flow.write_results_commit import captures
from tea_runner.ports import Dataset, Objects


@dataclass(frozen=True, kw_only=True)
class AdoptablePipeline:
    """Rows of one pipeline that no trusted signature covers."""

    pipeline: Pipeline
    manifest: Manifest
    parts: Mapping[str, str]
    #: The rows as they are after the adoption, with the contents of the outputs in the tree.
    adopted: tuple[Row, ...]
    #: Labels of datums whose inputs, command or code are others now.
    stale: tuple[str, ...]
    #: Labels of datums with outputs that are not in the tree.
    incomplete: tuple[str, ...]


def adoptable_results(
    tip: CommitReader, pipeline: Pipeline, unproven: Collection[str]
) -> AdoptablePipeline:
    """Compare the unproven rows of a pipeline with its inputs and with the tree.

    :param unproven: labels of the rows that no trusted signature covers.
    :raises UserError: when the pipeline's inputs cannot be read.
    """
    inputs = derive_inputs(tip, pipeline)
    manifest = read_manifest(tip.tree, pipeline.home)
    keys = {item.label: (item.key, item.place) for item in inputs.keyed}
    adopted, stale, incomplete = [], [], []
    for row in manifest.rows:
        if row.datum not in unproven:
            continue
        outputs = _outputs(tip, pipeline.home, row)
        if keys.get(row.datum) != (row.key, row.place):
            stale.append(row.datum)
        elif outputs is None:
            incomplete.append(row.datum)
        else:
            adopted.append(_adopted(row, outputs, inputs))
    return AdoptablePipeline(
        pipeline=pipeline,
        manifest=manifest,
        parts=inputs.parts,
        adopted=tuple(adopted),
        stale=tuple(stale),
        incomplete=tuple(incomplete),
    )


def _outputs(tip: CommitReader, home: str, row: Row) -> list[ResultFile] | None:
    """The outputs of a row in the tree; None where one is missing."""
    found = []
    for path, full in zip(row.outputs, row.paths, strict=True):
        entry = lookup(tip.tree.objects.tree, tip.tree.root, join(home, full))
        if entry is None or entry.mode not in (LINK, PLAIN, EXECUTABLE):
            return None
        found.append(_output(tip.tree.objects, path, entry))
    return found


def _output(objects: Objects, path: str, entry: TreeEntry) -> ResultFile:
    data = objects.blob(entry.oid)
    key = pointer_key(entry.mode, data) if data is not None else None
    if key is not None:
        return ResultFile(path, "annex", key, key_size(key) or 0)
    size = len(data or b"")
    if entry.mode == LINK:
        return ResultFile(path, "link", entry.oid, size)
    return ResultFile(path, "git", entry.oid, size, entry.mode == EXECUTABLE)


def _adopted(row: Row, outputs: list[ResultFile], inputs: PipelineInputs) -> Row:
    return row._replace(
        contents=tuple(output.content for output in outputs),
        sizes=tuple(output.size for output in outputs),
        ran=str(TRUSTED),
        captures=captures(inputs.datum(row.datum)),
    )


def sign_existing_results(
    dataset: Dataset, branch: str, tip: CommitReader, found: AdoptablePipeline, *, who: str
) -> str | None:
    """Commit a pipeline's manifest with the adopted rows, signed with the key of this installation.

    :param who: author and committer, ``Name <address>``.
    :returns: the commit; None when the branch has moved meanwhile.
    :raises OutsideError: when the forge does not answer.
    """
    home, store, objects = found.pipeline.home, dataset.writer(), dataset.objects
    rest = (found.manifest.row(label) for label in (*found.stale, *found.incomplete))
    # Whatever they state of themselves, nothing proves it.
    unproven = [row._replace(ran="") for row in rest if row is not None]
    after = found.manifest.edited([*found.adopted, *unproven], (), parts=found.parts)

    def read(oid: str) -> Mapping[str, TreeEntry]:
        return store.trees.get(oid) or objects.tree(oid)

    def edited(root: str, files: Mapping[str, bytes | None]) -> str:
        changes = {
            path: None if data is None else TreeEntry(PLAIN, store.add("blob", data))
            for path, data in files.items()
        }
        return edit_tree(read, store.tree, root, changes) or store.tree({})

    files = edited_files(Manifest(), after, lambda: ())
    root = edited(tip.tree.root, {join(home, path): data for path, data in files.items()})
    signature = dataset_signer(dataset).signature(
        read, root, home, inputs_at=tip.tree.commit, recomputed=()
    )
    title = f"Adopt {len(found.adopted)} results of {found.pipeline.name}\n"
    seconds = objects.commit(tip.tree.commit).committed + 1
    commit = store.commit(
        edited(root, signature), [tip.tree.commit], title, who=who, seconds=seconds, signed=True
    )
    store.flush()
    moved = dataset.publish([(f"refs/heads/{branch}", commit, tip.tree.commit)])
    return commit if moved else None
