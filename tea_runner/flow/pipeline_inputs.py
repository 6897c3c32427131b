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
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import Source, View, make_view, view_maker
from tea_runner.core.errors import SpecError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.glob.matcher import expand
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.image_record import image_parts
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results.manifest import Manifest
from tea_runner.flow.ambiguous_input import refuse_ambiguous_inputs
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.input_location import (
    InputLocation,
    list_files,
    locate_input,
    make_source,
)
from tea_runner.flow.pin_image import pin_image
from tea_runner.flow.pipeline_key_parts import SharedInputs, shared_inputs
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.flow.unusable_files import Unusable, UnusableFilesError

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
    locations: tuple[InputLocation, ...]
    sources: tuple[Source, ...]
    datums: tuple[Datum, ...]
    #: The datums with their keys; the same object as long as no datum and no key changes.
    keyed: tuple[KeyedDatum, ...]
    #: See :class:`SharedInputs`.
    code: tuple[str, ...] = ()
    image: str = ""
    #: With ``propagation_spec.never``: digest of the inputs that may start jobs; else empty.
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
        return {**self.shared.parts, **trigger, **image_parts(self.pipeline)}

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


def input_bytes(tip: CommitView, work: PipelineInputs, labels: Iterable[str]) -> dict[str, int]:
    """Bytes of the inputs of each of the datums; a file whose size git does not have counts as 0."""
    sizes = {}
    for datum in prefetch_facts(tip, map(work.datum, labels), work.sources):
        files = work.view(datum).files
        facts = (work.sources[shown.input].fact(shown.path) for shown in files)
        sizes[datum.label] = sum(max(fact.content.size, 0) for fact in facts)
    return sizes


def derive_inputs(
    tip: CommitView, pipeline: Pipeline, before: Manifest = _NOTHING
) -> PipelineInputs:
    """The pipeline's datums with their keys.

    :param before: the manifest at the commit; its texts are shared rather than kept twice.
    :raises UserError: when an input names nothing, or has content without a hash.
    :raises UnavailableImage: see :func:`~tea_runner.flow.pin_image.pin_image`.
    """
    pipeline = pin_image(tip, pipeline)
    locations = locate_inputs(tip, pipeline)
    return list_datums(tip, pipeline, locations, shared_inputs(tip, pipeline), before)


def locate_inputs(tip: CommitView, pipeline: Pipeline) -> tuple[InputLocation, ...]:
    """Where each input of the pipeline is.

    :raises UserError: when an input names nothing.
    """
    refuse_ambiguous_inputs(tip, pipeline)
    return tuple(locate_input(tip, pipeline, leaf) for leaf in pfs_leaves(pipeline.input))


def list_datums(
    tip: CommitView,
    pipeline: Pipeline,
    locations: tuple[InputLocation, ...],
    shared: SharedInputs,
    before: Manifest,
) -> PipelineInputs:
    """All datums of located inputs, with their keys."""
    found = [list_files(each) for each in locations]
    sources = tuple(
        make_source(each, Listing(files.files), files.inner)
        for each, files in zip(locations, found, strict=True)
    )
    listings = {number: source.listing for number, source in enumerate(sources)}
    datums = enumerate_datums(pipeline, listings)
    return PipelineInputs(
        pipeline=pipeline,
        shared=shared.base,
        locations=locations,
        sources=sources,
        datums=datums,
        keyed=tuple(key_datums(tip, pipeline, shared.base, datums, sources, before)),
        code=shared.code,
        image=shared.image,
        trigger=_trigger(tip, pipeline, datums, sources, shared.base),
    )


def key_datums(
    tip: CommitView,
    pipeline: Pipeline,
    shared: KeyBase,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    before: Manifest = _NOTHING,
) -> list[KeyedDatum]:
    """The datums with their keys and output directories."""
    key_of, look = key_maker(shared), view_maker(pipeline, sources)
    placed = pipeline.output_path is not None
    row_of = before.finder(len(datums))
    keyed = []
    for datum in prefetch_facts(tip, datums, sources):
        try:
            label, key = datum.label, key_of(look(datum, None))
        except UnusableFilesError as error:
            raise UnusableFilesError(_unusable_files(tip, datums, sources)) from error
        row = row_of(label)
        if row is not None and row.key == key:
            # The manifest has equal texts: keep those only, because a million take 150 MB.
            label, key = row.datum, row.key
        at = place(pipeline, datum) if placed else ""
        keyed.append(fast_new(KeyedDatum, (label, key, at)))
    return keyed


def _unusable_files(
    tip: CommitView, datums: Sequence[Datum], sources: Sequence[Source]
) -> list[Unusable]:
    """All files of these datums that cannot be inputs."""
    found: dict[str, Unusable] = {}
    for datum in prefetch_facts(tip, datums, sources):
        for number, _, path, is_dir, *_ in datum:
            source = sources[number]
            for each in source.listing.files_below(path) if is_dir else (path,):
                try:
                    source.fact(each)
                except UnusableFilesError as error:
                    found.update((file.full_path, file) for file in error.files)
    return list(found.values())


def _trigger(
    tip: CommitView,
    pipeline: Pipeline,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    shared: KeyBase,
) -> str:
    """Digest of all datums without inputs whose change alone starts nothing; empty without such."""
    leaves = pfs_leaves(pipeline.input)
    if not any(leaf.propagation_never for leaf in leaves):
        return ""
    silent = {leaf.name for leaf in leaves if leaf.propagation_never}
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
