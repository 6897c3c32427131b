"""Results of the datums that changed and the tree at the tip in, the commits that publish them out.

Datums that stand as they are take no part in it, so that the work follows the change.  Outputs
replace the datum's former outputs as a whole; outputs of datums that are gone disappear; a path that
two datums claim, or that is a user's own file, is an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.errors import OutputRefused
from tea_runner.core.git.annex_paths import link_target
from tea_runner.core.git.tree import LINK, PLAIN, TREE, TreeEntry
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import RECOMPUTED, Manifest, Row
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.run_record import Record, exec_command, group_size


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A file to be committed: a blob that git has (*oid*), or one to be written (*data*)."""

    mode: int
    oid: str = ""
    data: bytes = b""


Changes = dict[str, NewEntry | None]


@dataclass(frozen=True, kw_only=True)
class FinishedDatum:
    """One datum of a settled pipeline: who it is, what it gave, where that goes, how to repeat it."""

    label: str
    key: str
    #: Directory of the outputs below the pipeline's home.
    place: str
    result: Result
    #: Paths in the dataset, for the record.
    inputs: tuple[str, ...]
    #: It was known, somebody asked for it all the same, and it gave other bytes.
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class CommitStep:
    """One commit of the chain: what changes in the tree, and the record that explains it."""

    changes: Changes
    record: Record


@dataclass(frozen=True, kw_only=True)
class Composition:
    """All that a results commit does: records one after the other, then what belongs to no record."""

    steps: tuple[CommitStep, ...]
    #: Removed outputs and the manifest.
    rest: Changes
    manifest: Manifest
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


def compose(
    pipeline: Pipeline,
    finished: Sequence[FinishedDatum],
    before: Manifest,
    *,
    gone: Sequence[str] = (),
    parts: Mapping[str, str],
    tip: str,
    dataset_id: str,
    code: Sequence[str],
    exists: Callable[[str], TreeEntry | None],
    below: Callable[[str], Iterable[str]],
    command: Callable[[Sequence[FinishedDatum]], str] | None = None,
) -> Composition:
    """The commits that make the tree hold exactly these outputs, and those of the datums that stay.

    :param finished: the datums whose outputs are to be set.
    :param before: the manifest at the tip.
    :param gone: datums of *before* that have no outputs any more; all others stand in the tree.
    :param code: annexed files that the command sees besides its inputs, for the records.
    :param exists: what stands at a path of the dataset at the tip.
    :param below: paths of all files in a directory of the dataset at the tip.
    :param command: the text that repeats a group; ``tea-runner exec`` when absent.
    :raises OutputRefused: when a path has two owners.
    """
    home = pipeline.home
    again = sorted({item.key for item in finished if item.again})
    if again:
        # The index learns from the manifest that these results replace all that were before.
        parts = {**parts, RECOMPUTED: " ".join(again)}
    find = before.finder(len(finished) + len(gone))
    new = {item.label: _row(item) for item in finished}
    rows = {datum: find(datum) for datum in (*gone, *new)}
    old = {path for row in rows.values() if row is not None for path in row.paths}
    owners = _owners(finished)
    _refuse_standing(home, owners, old, rows.keys(), before, exists, below)
    changed = [
        item
        for item in finished
        if item.again
        or rows[item.label] != new[item.label]
        # What somebody removed from the tree is put back.
        or any(exists(_join(home, path)) is None for path in _paths(item))
    ]
    steps = []
    size = group_size(len(changed))
    ordered = sorted(changed, key=lambda item: item.label)
    for start in range(0, len(ordered), size):
        steps.append(_step(pipeline, ordered[start : start + size], dataset_id, code, command))
    # A former file that is a directory of results now is gone already.
    left = sorted(old - owners.keys() - _directories(owners).keys())
    rest: Changes = {_join(home, path): None for path in left}
    after = before.edited(new.values(), gone, parts=parts, inputs_at=tip)
    if after.pieces != before.pieces or dict(parts) != dict(before.parts):
        files = manifest_text.edited_files(before, after, lambda: _pieces(home, below))
        for path, text in files.items():
            rest[_join(home, path)] = None if text is None else NewEntry(PLAIN, data=text)
    else:
        after = before
    return Composition(
        steps=tuple(steps),
        rest=rest,
        manifest=after,
        changed=len(changed),
        removed=len([datum for datum in gone if rows[datum] is not None]),
    )


def _row(item: FinishedDatum) -> Row:
    outputs = tuple(sorted(output.path for output in item.result.outputs))
    return Row(item.label, item.key, item.place, outputs)


def _pieces(home: str, below: Callable[[str], Iterable[str]]) -> list[str]:
    """Files in the directory of the manifest's pieces, below the home."""
    start = len(home) + 1 if home else 0
    return [path[start:] for path in below(_join(home, manifest_text.DIRECTORY))]


def _join(home: str, path: str) -> str:
    return f"{home}/{path}" if home else path


def _paths(item: FinishedDatum) -> list[str]:
    prefix = item.place + "/" if item.place else ""
    return [prefix + output.path for output in item.result.outputs]


def _owners(finished: Sequence[FinishedDatum]) -> dict[str, str]:
    """Each output path below the home with the datum that owns it."""
    owners: dict[str, str] = {}
    for item in finished:
        for path in _paths(item):
            if path == manifest_text.NAME or path.partition("/")[0] == manifest_text.DIRECTORY:
                raise OutputRefused(
                    f"datum {item.label} wrote {path}, which tea-runner keeps for itself; "
                    f"let the command write another name"
                )
            other = owners.setdefault(path, item.label)
            if other != item.label:
                raise _two_owners(path, other, item.label)
    directories = _directories(owners)
    for path, label in owners.items():
        if path in directories:
            raise _file_and_directory(path, label, directories[path])
    return owners


def _refuse_standing(
    home: str,
    owners: Mapping[str, str],
    old: Collection[str],
    moving: Collection[str],
    before: Manifest,
    exists: Callable[[str], TreeEntry | None],
    below: Callable[[str], Iterable[str]],
) -> None:
    """Say so when what stays stands where an output, or a directory of outputs, has to be.

    :param old: paths of outputs that do not stay, because their datums, *moving*, are gone or anew.
    """
    start = len(home) + 1 if home else 0
    for path, label in owners.items():
        entry = exists(_join(home, path))
        if entry is None or path in old:
            continue
        inside = [path]
        if entry.mode == TREE:
            inside = [found[start:] for found in below(_join(home, path))]
        for found in inside:
            if found not in old:
                raise _stands(home, path, label, found, moving, before)
    for path, label in _directories(owners).items():
        entry = exists(_join(home, path))
        if entry is not None and entry.mode != TREE and path not in old:
            output = next(each for each in owners if each.startswith(path + "/"))
            raise _stands(home, output, label, path, moving, before)


def _stands(
    home: str, path: str, label: str, found: str, moving: Collection[str], before: Manifest
) -> OutputRefused:
    """What to say of a file that stands in an output's way: whose it is."""
    for row in before.rows:
        if row.datum not in moving and found in row.paths:
            if found == path:
                return _two_owners(path, row.datum, label)
            if found.startswith(path + "/"):
                return _file_and_directory(path, label, row.datum)
            return _file_and_directory(found, row.datum, label)
    return _foreign(label, _join(home, path), _join(home, found))


def _two_owners(path: str, one: str, other: str) -> OutputRefused:
    return OutputRefused(
        f"two datums wrote {path}: {one} and {other}; "
        f"let each write a name of its own, or set output.path"
    )


def _file_and_directory(path: str, file: str, directory: str) -> OutputRefused:
    return OutputRefused(
        f"{path} is a file of datum {file} and a directory of datum {directory}; "
        f"let one of them write another name"
    )


def _directories(owners: Mapping[str, str]) -> dict[str, str]:
    """Each directory that holds outputs, with the first datum that has one in it."""
    directories: dict[str, str] = {}
    for path, label in owners.items():
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in directories:
                break
            directories[path] = label
    return directories


def _foreign(label: str, path: str, mine: str) -> OutputRefused:
    stands = "a file of yours stands there" if mine == path else f"{mine} is a file of yours"
    return OutputRefused(
        f"datum {label} wrote {path}, but {stands}; move it, or let the command write another name"
    )


def _step(
    pipeline: Pipeline,
    group: Sequence[FinishedDatum],
    dataset_id: str,
    code: Sequence[str],
    command: Callable[[Sequence[FinishedDatum]], str] | None,
) -> CommitStep:
    changes: Changes = {}
    outputs: list[str] = []
    for item in group:
        prefix = item.place + "/" if item.place else ""
        for output in item.result.outputs:
            path = _join(pipeline.home, prefix + output.path)
            changes[path] = new_entry(output, path)
            outputs.append(path)
    text = (
        command(group)
        if command
        else exec_command(
            pipeline.spec_blob,
            pipeline.spec_document,
            pipeline.name,
            [item.label for item in group],
        )
    )
    title = f"{pipeline.name}: {group[0].label}"
    if len(group) > 1:
        title += f" and {len(group) - 1} more"
    keys = tuple(("Tea-Key", item.key) for item in group) if len(group) == 1 else ()
    if any(item.again for item in group):
        keys = (*keys, ("Tea-Recompute", "1"))
    record = Record(
        title=title,
        command=text,
        inputs=tuple(sorted({path for item in group for path in item.inputs})),
        extra_inputs=tuple(code),
        outputs=tuple(outputs),
        exit=group[0].result.exit if len(group) == 1 else 0,
        dataset_id=dataset_id,
        trailers=(("Tea-Pipeline", pipeline.name), *keys),
    )
    return CommitStep(changes=changes, record=record)
