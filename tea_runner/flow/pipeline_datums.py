"""The inputs of a pipeline at a commit: its datums, their keys, and what their commands see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tea_runner.core.datums.datum import Datum, shown_label
from tea_runner.core.datums.datum_keys import (
    KeyBase,
    combined_digest,
    key_maker,
)
from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.view import Source, View, make_view, view_maker
from tea_runner.core.errors import SpecError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.glob.matcher import expand
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.planning.recorded_environment import image_parts, variable_parts
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.ambiguous_input import refuse_ambiguous_inputs
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.find_unusable_files import linked_folders_of, unusable_files_of
from tea_runner.flow.follow_links import LinkedFolder, within
from tea_runner.flow.input_links import broken_datums, list_source, refuse_results, with_folders
from tea_runner.flow.input_location import InputLocation, locate_input
from tea_runner.flow.linked_folders import LinkedFoldersError
from tea_runner.flow.pipeline_key_parts import SharedInputs, shared_inputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.flow.resolve_at import resolve_at
from tea_runner.flow.tick_inputs import tick_sources
from tea_runner.flow.unusable_files import UnusableFilesError

_NOTHING = Manifest()


class LabelIndex:
    """The position of each label among keyed datums, computed at its first use."""

    def __init__(self, keyed: Sequence[KeyedDatum]) -> None:
        self.keyed = keyed

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Label to position."""
        return {item.label: number for number, item in enumerate(self.keyed)}


@dataclass(frozen=True, kw_only=True)
class PipelineInputs:
    """One pipeline at one commit, ready to be decided: its datums and their keys."""

    pipeline: Pipeline
    shared: KeyBase
    #: Of the pfs inputs; a schedule has none.
    locations: tuple[InputLocation, ...]
    #: By number of the input.
    sources: tuple[Source, ...]
    datums: tuple[Datum, ...]
    #: The datums with their keys; the same object as long as no datum and no key changes.
    keyed: tuple[KeyedDatum, ...]
    #: See :class:`SharedInputs`.
    code: tuple[str, ...] = ()
    image: str = ""
    #: See :class:`SharedInputs`.
    through: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    #: Keys of datums with links that cannot be followed, to the reason.
    broken: Mapping[str, str] = field(default_factory=dict)
    #: With ``propagation_spec.never`` or a trigger: digest of the inputs that may start jobs; else empty.
    trigger: str = ""
    #: Some of the datums, found without the index.
    by_label: Mapping[str, tuple[Datum, KeyedDatum]] = field(default_factory=dict, compare=False)
    index: LabelIndex = field(default_factory=lambda: LabelIndex(()), compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.index.keyed is not self.keyed:
            object.__setattr__(self, "index", LabelIndex(self.keyed))

    @property
    def parts(self) -> dict[str, str]:
        """The parts of the keys that the manifest records, to tell later why a key changed."""
        trigger = {"trigger": self.trigger} if self.trigger else {}
        return {
            **self.shared.parts,
            **trigger,
            **image_parts(self.pipeline),
            **variable_parts(self.pipeline),
        }

    def find(self, label: str) -> tuple[Datum, KeyedDatum] | None:
        """The datum of a label and its key; None when there is none."""
        if label in self.by_label:
            return self.by_label[label]
        number = self.index.positions.get(label)
        return None if number is None else (self.datums[number], self.keyed[number])

    def datum(self, label: str) -> Datum:
        """The datum of a label.

        :raises KeyError: when there is none.
        """
        found = self.find(label)
        if found is None:
            raise KeyError(label)
        return found[0]

    def view(self, datum: Datum) -> View:
        """What the command sees of a datum."""
        return make_view(self.pipeline, datum, self.sources)

    def input_paths(self, datum: Datum) -> tuple[str, ...]:
        """Paths of the datum's entries in the dataset, for its record."""
        return tuple(self.sources[entry.input].path(entry.path) for entry in datum.entries)

    def saved_paths(self, datum: Datum) -> tuple[str, ...]:
        """As :meth:`input_paths`, without ticks, which are in no dataset."""
        pairs = ((self.sources[entry.input], entry.path) for entry in datum.entries)
        return tuple(source.path(path) for source, path in pairs if not source.is_generated)

    def linked_paths(self, datum: Datum) -> tuple[str, ...]:
        """Paths of what links among the datum's inputs lead to, outside of its entries.

        ``datalad get`` of a link does not get that.
        """
        if not any(source.links for source in self.sources):
            return ()
        entries = self.input_paths(datum)
        linked = {
            self.sources[shown.input].locate(shown.path).path
            for shown in self.view(datum).files
            if shown.path in self.sources[shown.input].links.files
        }
        return tuple(sorted(p for p in linked if not any(within(p, each) for each in entries)))


def input_bytes(tip: CommitReader, work: PipelineInputs, labels: Iterable[str]) -> dict[str, int]:
    """Bytes of the inputs of each of the datums; a file whose size git does not have counts as 0."""
    sizes = {}
    for datum in prefetch_facts(tip, map(work.datum, labels), work.sources):
        files = work.view(datum).files
        facts = (work.sources[shown.input].fact(shown.path) for shown in files)
        sizes[datum.label] = sum(max(fact.content.size, 0) for fact in facts)
    return sizes


def derive_inputs(
    tip: CommitReader, pipeline: Pipeline, before: Manifest = _NOTHING
) -> PipelineInputs:
    """The pipeline's datums with their keys.

    :param before: the manifest at the commit; its texts are shared rather than kept twice.
    :raises UserError: when an input names nothing, or has content without a hash.
    :raises UnavailableImage: see :func:`~tea_runner.flow.resolve_image.resolve_image`.
    """
    pipeline = resolve_at(tip, pipeline)
    locations = locate_inputs(tip, pipeline)
    return list_datums(tip, pipeline, locations, shared_inputs(tip, pipeline), before)


def locate_inputs(tip: CommitReader, pipeline: Pipeline) -> tuple[InputLocation, ...]:
    """Where each input of the pipeline is.

    :raises UserError: when an input names nothing.
    """
    refuse_ambiguous_inputs(tip, pipeline)
    return tuple(locate_input(tip, pipeline, leaf) for leaf in pfs_leaves(pipeline.input))


def list_datums(
    tip: CommitReader,
    pipeline: Pipeline,
    locations: tuple[InputLocation, ...],
    shared: SharedInputs,
    before: Manifest,
) -> PipelineInputs:
    """All datums of located inputs, with their keys."""
    ticks = tick_sources(pipeline)
    sources = (*map(list_source, locations), *ticks)
    try:
        datums, keyed = _keyed_datums(tip, pipeline, sources, shared, before)
    except LinkedFoldersError as error:
        listed = tuple(
            with_folders(location, source, [path for each, path in error.paths if each == number])
            # The ticks come after the inputs that have a location.
            for number, (location, source) in enumerate(zip(locations, sources, strict=False))
        )
        sources = (*listed, *ticks)
        datums, keyed = _keyed_datums(tip, pipeline, sources, shared, before)
    refuse_results(tip, pipeline, sources)
    return PipelineInputs(
        pipeline=pipeline,
        shared=shared.base,
        locations=locations,
        sources=sources,
        datums=datums,
        keyed=keyed,
        code=shared.code,
        image=shared.image,
        through=shared.through,
        left_out=shared.left_out,
        broken=broken_datums(datums, keyed, sources),
        trigger=_trigger(tip, pipeline, datums, sources, shared.base),
    )


def _keyed_datums(
    tip: CommitReader,
    pipeline: Pipeline,
    sources: Sequence[Source],
    shared: SharedInputs,
    before: Manifest,
) -> tuple[tuple[Datum, ...], tuple[KeyedDatum, ...]]:
    listings = {number: source.listing for number, source in enumerate(sources)}
    datums = enumerate_datums(pipeline, listings)
    return datums, tuple(key_datums(tip, pipeline, shared.base, datums, sources, before))


def key_datums(
    tip: CommitReader,
    pipeline: Pipeline,
    shared: KeyBase,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    before: Manifest = _NOTHING,
) -> list[KeyedDatum]:
    """The datums with their keys and output directories.

    :raises LinkedFoldersError: when files of them are links to folders.
    """
    key_of, look = key_maker(shared), view_maker(pipeline, sources)
    placed = pipeline.output_path is not None
    row_of = before.finder(len(datums))
    keyed = []
    for datum in prefetch_facts(tip, datums, sources):
        try:
            label, key = datum.label, key_of(look(datum, None))
        except UnusableFilesError as error:
            raise UnusableFilesError(unusable_files_of(tip, datums, sources)) from error
        except LinkedFolder as error:
            raise LinkedFoldersError(linked_folders_of(tip, datums, sources)) from error
        row = row_of(label)
        if row is not None and row.key == key:
            # The manifest has equal texts: keep those only, because a million take 150 MB.
            label, key = row.datum, row.key
        at = place(pipeline, datum) if placed else ""
        keyed.append(fast_new(KeyedDatum, (label, key, at)))
    return keyed


def _trigger(
    tip: CommitReader,
    pipeline: Pipeline,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    shared: KeyBase,
) -> str:
    """Digest of all datums without inputs whose change alone starts nothing.

    It is empty without such inputs, and where all of them have a trigger: then nothing would be left.
    """
    leaves = pfs_leaves(pipeline.input)
    silent = {leaf.name for leaf in leaves if leaf.propagation_never or leaf.trigger}
    if not silent or (len(leaves) == len(sources) and all(leaf.trigger for leaf in leaves)):
        return ""
    key_of, look = key_maker(shared), view_maker(pipeline, sources)
    keys = {
        key_of([seen for seen in look(datum, None) if seen.name not in silent])
        for datum in prefetch_facts(tip, datums, sources)
    }
    return combined_digest(sorted(keys))


def place(pipeline: Pipeline, datum: Datum) -> str:
    """Directory below the pipeline's home where the system puts the datum's outputs.

    :raises SpecError: when the template gives no place inside the home.
    """
    if pipeline.output_path is None:
        return ""
    captures = next((entry.captures for entry in datum.entries if len(entry.captures) > 1), ())
    captures = captures or (datum.entries[0].captures if datum.entries else ())
    text = expand(pipeline.output_path, captures).strip("/")
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise SpecError(
            f"{pipeline.output_path} gives {text or 'nothing'} for datum {shown_label(datum.label)}",
            hint="use captures that the glob makes, such as $1",
            file=pipeline.spec_path,
            key="output.path",
        )
    return text
