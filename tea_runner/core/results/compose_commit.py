"""Compose the commits that publish a pipeline's results.

Only datums that changed are involved, so the cost depends on the change.  New outputs replace a
datum's former outputs as a whole, and outputs of removed datums are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.tree import LINK, PLAIN, TreeEntry
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.network_addresses_of_command import SOURCE, sources_of
from tea_runner.core.results.output_owners import CollisionCheck, directory_owners, join, owners
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.run_record import Record, RecordedCommand, exec_command, group_size


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A file to commit: an existing blob (*oid*), or one to be written (*data*)."""

    mode: int
    oid: str = ""
    data: bytes = b""


#: By path in the dataset: the new entry, or None to delete the file.
Changes = dict[str, NewEntry | None]


@dataclass(frozen=True, kw_only=True)
class FinishedDatum:
    """One datum with a result to publish."""

    label: str
    key: str
    #: Directory of the outputs below the pipeline's home.
    place: str
    result: Result
    #: Paths in the dataset, for the record.
    inputs: tuple[str, ...]
    #: Those of files that links among the inputs lead to.
    linked: tuple[str, ...] = ()
    #: Whether a known result was recomputed on request and its bytes differ.
    recomputed: bool = False
    #: Whether its outputs are in the tree already and only its row is new.
    adopted: bool = False
    #: Whether outputs in the tree differ from those of its row, and are put back.
    edited: bool = False
    captures: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """Paths of the outputs below the pipeline's home."""
        prefix = self.place + "/" if self.place else ""
        return [prefix + output.path for output in self.result.outputs]

    @property
    def row(self) -> Row:
        """The datum's row of the manifest."""
        outputs = sorted(self.result.outputs, key=lambda output: output.path)
        return Row(
            self.label,
            self.key,
            self.place,
            tuple(output.path for output in outputs),
            tuple(output.content for output in outputs),
            tuple(output.size for output in outputs),
            "recovered" if self.result.recovered else "done",
            str(self.result.ran),
            self.captures,
        )


@dataclass(frozen=True, kw_only=True)
class PipelineChange:
    """What changes in a pipeline's results, and what the tree at the tip contains."""

    pipeline: Pipeline
    #: The datums whose outputs are set.
    finished: Sequence[FinishedDatum]
    #: The manifest at the tip.
    before: Manifest
    #: Labels of datums of *before* that have no outputs any more; all others keep theirs.
    removed: Sequence[str] = ()
    #: Digests that all keys share, for the manifest.
    parts: Mapping[str, str]
    dataset_id: str
    #: Annexed files that the command sees besides its inputs, for the records.
    code: Sequence[str]
    #: Whether the manifest at the tip has no valid signature, so that it is signed even if its rows
    #: stay the same.
    resign: bool = False
    #: Returns the entry at a path of the dataset at the tip.
    entry: Callable[[str], TreeEntry | None]
    #: Returns the paths of all files in a directory of the dataset at the tip.
    files_below: Callable[[str], Iterable[str]]
    #: Returns those of some paths below the home that are no outputs, whatever rows claim.
    foreign: Callable[[Collection[str]], Set[str]] = lambda _: frozenset()
    #: Returns the command that repeats a group of datums; ``tea-runner exec`` by default.
    command: Callable[[Sequence[FinishedDatum]], RecordedCommand] | None = None
    #: Whether the records of groups name the keys of their datums; former ones do not.
    keyed_groups: bool = True
    #: Whether records name the addresses that commands fetch from; former ones do not.
    with_sources: bool = True


@dataclass(frozen=True, kw_only=True)
class CommitStep:
    """One commit of the chain: its changes and the run record that explains them."""

    changes: Changes
    record: Record


@dataclass(frozen=True, kw_only=True)
class Composition:
    """All commits that publish a pipeline's results: one for each record, and a last one."""

    steps: tuple[CommitStep, ...]
    #: Changes without a record: removed outputs and the manifest.
    rest: Changes
    manifest: Manifest
    #: Keys of recomputed datums, whose results replace all earlier ones.
    recomputed: tuple[str, ...]
    #: Number of datums whose outputs change, and of removed datums.
    changed: int
    removed: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not self.steps and not self.rest


def new_entry(output: ResultFile, path: str) -> NewEntry:
    """The output as it is committed at *path* of the dataset."""
    if output.kind == "annex":
        return NewEntry(
            LINK, data=link_target(output.name, path).encode("utf-8", "surrogateescape")
        )
    return NewEntry(output.mode, oid=output.name)


def compose(change: PipelineChange) -> Composition:
    """The commits after which the tree contains exactly the outputs of the pipeline's datums.

    :raises OutputRefused: when two datums, or a datum and the user, own one path.
    """
    home, before = change.pipeline.home, change.before
    find = before.finder(len(change.finished) + len(change.removed))
    rows = {label: find(label) for label in (*change.removed, *(d.label for d in change.finished))}
    replaced = {path for row in rows.values() if row is not None for path in row.paths}
    replaced -= change.foreign(replaced)
    owned = owners((path, datum.label) for datum in change.finished for path in datum.paths)
    CollisionCheck(
        home=home,
        before=before,
        changing=rows.keys(),
        replaced=replaced,
        entry=change.entry,
        files_below=change.files_below,
    ).check(owned)
    changed = [
        datum
        for datum in change.finished
        if not datum.adopted
        and (
            datum.recomputed
            or datum.edited
            or rows[datum.label] != datum.row
            # Outputs that a person deleted from the tree are restored.
            or any(change.entry(join(home, path)) is None for path in datum.paths)
        )
    ]
    size = group_size(len(changed))
    ordered = sorted(changed, key=lambda datum: datum.label)
    steps = [_step(change, ordered[at : at + size]) for at in range(0, len(ordered), size)]
    # A former file that is now a directory of outputs is replaced already.
    deleted = sorted(replaced - owned.keys() - directory_owners(owned).keys())
    rest: Changes = {join(home, path): None for path in deleted}
    manifest = _new_manifest(change)
    if manifest is not before or (change.resign and change.finished):
        rest |= _manifest_changes(change, manifest)
    return Composition(
        steps=tuple(steps),
        rest=rest,
        manifest=manifest,
        recomputed=tuple(sorted({datum.key for datum in change.finished if datum.recomputed})),
        changed=len(changed),
        removed=sum(rows[label] is not None for label in change.removed),
    )


def _new_manifest(change: PipelineChange) -> Manifest:
    """The manifest after the change; the same object if nothing in it changes."""
    before, parts = change.before, change.parts
    rows = [datum.row for datum in change.finished]
    after = before.edited(rows, change.removed, parts=parts)
    same = after.pieces == before.pieces and dict(parts) == dict(before.parts)
    return before if same else after


def _manifest_changes(change: PipelineChange, after: Manifest) -> Changes:
    home = change.pipeline.home
    start = len(home) + 1 if home else 0

    def pieces() -> list[str]:
        directory = join(home, manifest_text.DIRECTORY)
        return [path[start:] for path in change.files_below(directory)]

    files = manifest_text.edited_files(change.before, after, pieces)
    return {
        join(home, path): None if text is None else NewEntry(PLAIN, data=text)
        for path, text in files.items()
    }


def _step(change: PipelineChange, group: Sequence[FinishedDatum]) -> CommitStep:
    """The commit of a group of datums that share a run record."""
    pipeline = change.pipeline
    changes: Changes = {}
    for datum in group:
        for output, path in zip(datum.result.outputs, datum.paths, strict=True):
            full = join(pipeline.home, path)
            changes[full] = new_entry(output, full)
    title = f"{pipeline.name}: {group[0].label}"
    if len(group) > 1:
        title += f" and {len(group) - 1} more"
    trailers = [("Tea-Pipeline", pipeline.name)]
    if len(group) == 1 or change.keyed_groups:
        trailers += (("Tea-Key", datum.key) for datum in group)
    if any(datum.recomputed for datum in group):
        trailers.append(("Tea-Recompute", "1"))
    if change.with_sources:
        trailers += ((SOURCE, address) for address in sources_of(pipeline))
    command = change.command(group) if change.command else _exec_command(pipeline, group)
    record = Record(
        title=title,
        command=command.text,
        attached=command.attached,
        inputs=tuple(sorted({path for datum in group for path in (*datum.inputs, *datum.linked)})),
        extra_inputs=tuple(change.code),
        outputs=tuple(changes),
        exit=group[0].result.exit if len(group) == 1 else 0,
        dataset_id=change.dataset_id,
        trailers=tuple(trailers),
    )
    return CommitStep(changes=changes, record=record)


def _exec_command(pipeline: Pipeline, group: Sequence[FinishedDatum]) -> RecordedCommand:
    labels = [datum.label for datum in group]
    image = pipeline.transform.image if pipeline.transform.image_tag else ""
    return RecordedCommand(
        exec_command(
            pipeline.spec_blob,
            pipeline.spec_document,
            pipeline.name,
            labels,
            image,
            pipeline.given or (),
        )
    )
