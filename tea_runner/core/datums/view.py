"""Views: the files that a datum's command sees, and their paths.

``view: pfs``: each input is a directory ``/pfs/<name>`` that contains the entry at its own path.
With ``output.path`` the names are hidden: an entry is ``datum`` (with its extension) or ``datum/…``;
several entries of one input are ``datum-1``, ``datum-2``, … in the order of their content.
``view: dataset``: files have their own paths of the dataset.

With ``empty_files`` a command sees no content, but below ``/pfs`` a link to such a file is an output
with its content, so the content is in the key.  In ``view: dataset`` there are no such links.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tea_runner.core.datums.content_identity import Content, placeholder
from tea_runner.core.datums.datum import Datum, Entry
from tea_runner.core.datums.datum_keys import VisibleFile, VisibleInput
from tea_runner.core.datums.file_fact import FileFact, InputLinks, LinkedFile
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.pipeline import Pipeline, empty_inputs

_EXTENSION = re.compile(r"(?:\.[A-Za-z0-9_-]{1,4}){1,2}$")


class Located(NamedTuple):
    """A file of an input where its content is: a link's file is where the link leads to."""

    fact: FileFact
    #: Path of the subdataset that has the content; empty for the dataset itself.
    dataset: str
    #: Path in the dataset that is planned.
    path: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input of a pipeline at one commit: its directory and its files."""

    #: Path of the input's directory in the dataset, empty for the root.
    prefix: str
    listing: Listing
    #: Returns the facts of a file of the listing.
    fact: Callable[[str], FileFact]
    #: The commit that the content is read from.
    commit: str = ""
    #: Path of the subdataset that the directory is in; empty for the dataset itself.
    dataset: str = ""
    #: Paths in the listing of subdatasets that some of the files belong to.
    inner: frozenset[str] = frozenset()
    #: Whether its files are in no dataset: the ticks of a schedule.
    is_generated: bool = False
    #: The symlinks that :attr:`fact` has followed, or could not follow.
    links: InputLinks = field(default_factory=InputLinks, compare=False)

    def subdataset_of(self, relative: str) -> str | None:
        """The innermost of :attr:`inner` that a file of the listing belongs to; None for no one."""
        if self.inner:
            above = relative.rpartition("/")[0]
            while above:
                if above in self.inner:
                    return above
                above = above.rpartition("/")[0]
        return None

    def locate(self, relative: str) -> Located:
        """The content of a file of the listing."""
        fact = self.fact(relative)
        if isinstance(fact, LinkedFile):
            return Located(fact, fact.dataset, fact.path)
        inside = self.subdataset_of(relative)
        dataset = self.dataset if inside is None else self.path(inside)
        return Located(fact, dataset, self.path(relative))

    def path(self, relative: str) -> str:
        """Path of a file of the listing in the dataset that is planned."""
        inner = self.inner_path(relative)
        return f"{self.dataset}/{inner}" if self.dataset and inner else self.dataset or inner

    def inner_path(self, relative: str) -> str:
        """Path of a file of the listing in the (sub)dataset that it belongs to."""
        prefix = self.prefix
        return f"{prefix}/{relative}" if prefix and relative else prefix or relative


class ViewFile(NamedTuple):
    """One file of a view: its visible path, the number of its input and its path in the listing."""

    visible: str
    input: int
    path: str


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that a command sees of its datum."""

    inputs: tuple[VisibleInput, ...]
    files: tuple[ViewFile, ...]
    #: By name of the input: visible path of its (last) entry, relative to the root of the view.
    paths: dict[str, str]
    #: The values of join_on and group_by, by name of the environment variable.
    variables: dict[str, str] = field(default_factory=dict)


def make_view(pipeline: Pipeline, datum: Datum, sources: Sequence[Source]) -> View:
    """The view of one datum.

    :param sources: of the pipeline's inputs, by their numbers.
    """
    files: list[ViewFile] = []
    inputs = view_maker(pipeline, sources)(datum, files)
    variables: dict[str, str] = {}
    for each in inputs:
        if each.join_on:
            variables[f"PACH_DATUM_{each.name}_JOIN_ON"] = each.join_on
        if each.group_by:
            variables[f"PACH_DATUM_{each.name}_GROUP_BY"] = each.group_by
    paths = {each.name: each.path.rstrip("/") for each in inputs}
    return View(inputs=inputs, files=tuple(files), paths=paths, variables=variables)


#: Returns the inputs of a datum's view; appends its files to the list, if one is given.
ViewMaker = Callable[[Datum, "list[ViewFile] | None"], tuple[VisibleInput, ...]]


def view_maker(pipeline: Pipeline, sources: Sequence[Source]) -> ViewMaker:
    """A function that makes the part of a datum's view that is in its key.

    It runs once for each datum of a plan, so everything common to all datums is computed here.
    """
    in_dataset = pipeline.view == "dataset"
    hidden = pipeline.output_path is not None and not in_dataset
    empty = empty_inputs(pipeline.input)
    plain = not hidden and not in_dataset

    def view(datum: Datum, files: list[ViewFile] | None) -> tuple[VisibleInput, ...]:
        if plain and files is None and len(datum) == 1 and not datum[0].is_dir:
            # Datums of one file are most datums of large plans; for them the loop below would take
            # twice the time.  A property test checks that both give the same.
            number, name, root, is_dir, _, join_on, group_by = datum[0]
            at = f"{name}/{root}"
            executable, identity, _, _ = sources[number].fact(root)
            content = placeholder(identity) if number in empty else identity
            file = fast_new(VisibleFile, (at, executable, content))
            return (fast_new(VisibleInput, (name, at, is_dir, join_on, group_by, (file,))),)
        inputs = []
        for entry, path in _entry_paths(datum, sources, in_dataset=in_dataset, hidden=hidden):
            number, name, root, is_dir, _, join_on, group_by = entry
            source = sources[number]
            at = path if in_dataset else f"{name}/{path}"
            seen = []
            for source_path in _below(source.listing, entry):
                rest = source_path[len(root) :].lstrip("/") if is_dir else ""
                visible = posixpath.join(at, rest) if rest else at
                executable, identity, _, _ = source.fact(source_path)
                shown: Content | None = identity
                if number in empty:
                    shown = None if in_dataset else placeholder(identity)
                seen.append(VisibleFile(visible, executable, shown))
                if files is not None:
                    files.append(ViewFile(visible, number, source_path))
            if len(seen) > 1:
                seen.sort(key=_visible_path)
            if hidden:
                join_on = group_by = ""
            inputs.append(VisibleInput(name, at, is_dir, join_on, group_by, tuple(seen)))
        return tuple(inputs)

    return view


def _visible_path(file: VisibleFile) -> str:
    return file.path


def _below(listing: Listing, entry: Entry) -> Sequence[str]:
    return listing.files_below(entry.path) if entry.is_dir else (entry.path,)


def _entry_paths(
    datum: Datum, sources: Sequence[Source], *, in_dataset: bool, hidden: bool
) -> list[tuple[Entry, str]]:
    """Each entry with its visible path below its input's root (or the dataset's root)."""
    if in_dataset:
        return [(entry, sources[entry.input].path(entry.path)) for entry in datum.entries]
    if not hidden:
        return [(entry, entry.path) for entry in datum.entries]
    by_name: dict[str, list[Entry]] = {}
    for entry in datum.entries:
        by_name.setdefault(entry.name, []).append(entry)
    paths = []
    for name in dict.fromkeys(entry.name for entry in datum.entries):
        entries = by_name[name]
        if len(entries) == 1:
            paths.append((entries[0], _hidden_name(entries[0], "datum")))
            continue
        # Ordered by content, so that renaming a subject does not change its datum.
        entries = sorted(entries, key=lambda entry: _content_order(sources[entry.input], entry))
        width = len(str(len(entries)))
        paths += [
            (entry, _hidden_name(entry, f"datum-{number:0{width}}"))
            for number, entry in enumerate(entries, 1)
        ]
    return paths


def _hidden_name(entry: Entry, name: str) -> str:
    if entry.is_dir:
        return name
    suffix = _EXTENSION.search(posixpath.basename(entry.path).lstrip("."))
    return name + (suffix[0] if suffix else "")


def _content_order(source: Source, entry: Entry) -> list[tuple[str, Content]]:
    paths = _below(source.listing, entry)
    return [(path[len(entry.path) :], source.fact(path).content) for path in paths]
