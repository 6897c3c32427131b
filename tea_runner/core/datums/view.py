"""A datum in, what its command sees out: visible paths, the files behind them, environment variables.

``view: pfs``: each input is a directory ``/pfs/<name>`` that holds the entry at its own path.
With ``output.path`` the command has no need of names and is shown none: an entry is ``datum`` (with
its extension) or ``datum/…``; several entries of one input are ``datum-1``, ``datum-2``, … in the
order of their content.
``view: dataset``: files stand at their own paths of the dataset.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.datum import Datum, Entry
from tea_runner.core.datums.keys import VisibleFile, VisibleInput
from tea_runner.core.datums.listing import Listing
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.pipeline import Pipeline, pfs_leaves

_EXTENSION = re.compile(r"(?:\.[A-Za-z0-9_-]{1,4}){1,2}$")


class FileFact(NamedTuple):
    """What git knows of one input file."""

    executable: bool
    content: Content
    #: The annex key, or None for a file that is kept in git.
    key: str | None
    #: Git blob id.
    oid: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input of a pipeline at one commit: where it lies and what files it has."""

    #: Path of the place in the dataset, empty for its root.
    prefix: str
    listing: Listing
    #: The facts of a file of the listing; read when they are wanted.
    fact: Callable[[str], FileFact]
    #: The commit that the content comes from.
    commit: str = ""
    #: The dataset that the files belong to, when it is a subdataset: its path.
    dataset: str = ""

    def path(self, relative: str) -> str:
        """Path in the dataset that is planned of a path of the listing."""
        inner = self.inner_path(relative)
        return f"{self.dataset}/{inner}" if self.dataset and inner else self.dataset or inner

    def inner_path(self, relative: str) -> str:
        """Path in the dataset that the files belong to."""
        prefix = self.prefix
        return f"{prefix}/{relative}" if prefix and relative else prefix or relative


class ViewFile(NamedTuple):
    """One file of a view: where the command sees it, and which input's file it is."""

    visible: str
    input: int
    path: str


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a command sees of its datum."""

    inputs: tuple[VisibleInput, ...]
    files: tuple[ViewFile, ...]
    #: Input name to the visible path of its (last) entry, relative to the root of the view.
    places: dict[str, str]
    #: Values that the match gave: join_on and group_by of each input, by name of the variable.
    variables: dict[str, str] = field(default_factory=dict)


def make_view(pipeline: Pipeline, datum: Datum, sources: Sequence[Source]) -> View:
    """The view of one datum.

    *sources* belong to the pipeline's pfs inputs, in their order.
    """
    shown: list[ViewFile] = []
    inputs = view_maker(pipeline, sources)(datum, shown)
    variables: dict[str, str] = {}
    for seen in inputs:
        if seen.join_on:
            variables[f"PACH_DATUM_{seen.name}_JOIN_ON"] = seen.join_on
        if seen.group_by:
            variables[f"PACH_DATUM_{seen.name}_GROUP_BY"] = seen.group_by
    places = {seen.name: seen.path.rstrip("/") for seen in inputs}
    return View(inputs=inputs, files=tuple(shown), places=places, variables=variables)


#: A datum in, and a list for its files where they are wanted; the inputs of its view out.
ViewMaker = Callable[[Datum, "list[ViewFile] | None"], tuple[VisibleInput, ...]]


def view_maker(pipeline: Pipeline, sources: Sequence[Source]) -> ViewMaker:
    """What tells of each datum the part of its view that is in its key.

    It runs once for each datum of a plan, so what is the same for all is looked at here.
    """
    in_dataset = pipeline.view == "dataset"
    hidden = pipeline.output_path is not None and not in_dataset
    empty = [leaf.empty_files for leaf in pfs_leaves(pipeline.input)]
    plain = not hidden and not in_dataset

    def look(datum: Datum, shown: list[ViewFile] | None) -> tuple[VisibleInput, ...]:
        if plain and shown is None and len(datum) == 1 and not datum[0].is_dir:
            # One file: what follows, written out, because nearly all large plans are of such datums.
            number, name, root, is_dir, _, join_on, group_by = datum[0]
            at = f"{name}/{root}"
            executable, identity, _, _ = sources[number].fact(root)
            file = fast_new(VisibleFile, (at, executable, None if empty[number] else identity))
            return (fast_new(VisibleInput, (name, at, is_dir, join_on, group_by, (file,))),)
        inputs = []
        for entry, place in _places(datum, sources, in_dataset=in_dataset, hidden=hidden):
            number, name, root, is_dir, _, join_on, group_by = entry
            source = sources[number]
            at = place if in_dataset else f"{name}/{place}"
            files = []
            for path in _below(source.listing, entry):
                rest = path[len(root) :].lstrip("/") if is_dir else ""
                visible = posixpath.join(at, rest) if rest else at
                executable, identity, _, _ = source.fact(path)
                files.append(VisibleFile(visible, executable, None if empty[number] else identity))
                if shown is not None:
                    shown.append(ViewFile(visible, number, path))
            if len(files) > 1:
                files.sort(key=_visible)
            if hidden:
                join_on = group_by = ""
            inputs.append(VisibleInput(name, at, is_dir, join_on, group_by, tuple(files)))
        return tuple(inputs)

    return look


def _visible(file: VisibleFile) -> str:
    return file.path


def _below(listing: Listing, entry: Entry) -> Sequence[str]:
    return listing.files_below(entry.path) if entry.is_dir else (entry.path,)


def _places(
    datum: Datum, sources: Sequence[Source], *, in_dataset: bool, hidden: bool
) -> list[tuple[Entry, str]]:
    """Each entry with its place below its input's root (or below the dataset's root)."""
    if in_dataset:
        return [(entry, sources[entry.input].path(entry.path)) for entry in datum.entries]
    if not hidden:
        return [(entry, entry.path) for entry in datum.entries]
    by_name: dict[str, list[Entry]] = {}
    for entry in datum.entries:
        by_name.setdefault(entry.name, []).append(entry)
    placed = []
    for name in dict.fromkeys(entry.name for entry in datum.entries):
        entries = by_name[name]
        if len(entries) == 1:
            placed.append((entries[0], _neutral(entries[0], "datum")))
            continue
        # The order is by content, so that a renamed subject is the same datum.
        entries = sorted(entries, key=lambda entry: _contents(sources[entry.input], entry))
        width = len(str(len(entries)))
        placed += [
            (entry, _neutral(entry, f"datum-{number:0{width}}"))
            for number, entry in enumerate(entries, 1)
        ]
    return placed


def _neutral(entry: Entry, name: str) -> str:
    if entry.is_dir:
        return name
    suffix = _EXTENSION.search(posixpath.basename(entry.path).lstrip("."))
    return name + (suffix[0] if suffix else "")


def _contents(source: Source, entry: Entry) -> list[tuple[str, Content]]:
    paths = _below(source.listing, entry)
    return [(path[len(entry.path) :], source.fact(path).content) for path in paths]
