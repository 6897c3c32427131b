"""One pipeline at one commit in; its datums, their keys and what their commands may see out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.datum_edits import DatumEdit, apply_edits, can_edit_datums, edit_datums
from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.keys import KeyBase, VisibleFile, combined_digest, key_base, key_maker
from tea_runner.core.datums.listing import Listing
from tea_runner.core.datums.view import Source, View, make_view, view_maker
from tea_runner.core.errors import SpecError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.git.tree import SUBMODULE, TREE, walk_tree
from tea_runner.core.glob.matcher import Glob, expand
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.datalad_containers import container_image, image_digest
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.input_location import (
    InputLocation,
    file_changes,
    list_files,
    locate_input,
    make_source,
)
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.read_pipelines import SPEC_NAMES

_NOTHING = Manifest()
#: More steps than these are not followed one by one.
_FEW = 1000


class ChangesSince(NamedTuple):
    """How a work came to be from the one of this stamp: steps, and the datums that they touched."""

    stamp: object
    edits: tuple[DatumEdit, ...]
    fresh: Mapping[str, KeyedDatum]


class _Numbers:
    """Where each label stands among keyed datums; made when it is asked first."""

    def __init__(self, keyed: Sequence[KeyedDatum]) -> None:
        self.keyed = keyed

    @cached_property
    def by_label(self) -> dict[str, int]:
        return {item.label: number for number, item in enumerate(self.keyed)}


@dataclass(frozen=True, kw_only=True)
class PipelineInputs:
    """One pipeline at one commit, ready to be decided: its datums and their keys."""

    pipeline: Pipeline
    shared: KeyBase
    locations: tuple[InputLocation, ...]
    sources: tuple[Source, ...]
    datums: tuple[Datum, ...]
    keyed: tuple[KeyedDatum, ...]
    #: Files of the dataset that the command sees besides its inputs.
    code: tuple[str, ...] = ()
    #: The file of the dataset that is the container's image, if one is.
    image: str = ""
    #: ``propagation_spec.never``: digest of all that may start work; empty where everything may.
    trigger: str = ""
    #: Equal for equal datums and keys.
    stamp: object = field(default_factory=object)
    #: The steps from the work that was settled last, where they are known.
    since: ChangesSince | None = None
    #: Where each datum stands; the same as long as the datums are.
    numbers: _Numbers = field(default_factory=lambda: _Numbers(()), compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.numbers.keyed is not self.keyed:
            object.__setattr__(self, "numbers", _Numbers(self.keyed))

    @property
    def parts(self) -> dict[str, str]:
        """What the manifest remembers of what all keys share, and of what may start work."""
        return {**self.shared.parts, **({"trigger": self.trigger} if self.trigger else {})}

    def find(self, label: str) -> tuple[Datum, KeyedDatum] | None:
        """The datum of a label and its key; where few have changed, all are not looked through."""
        if self.since is not None and label in self.since.fresh:
            edits = reversed(self.since.edits)
            datum = next(edit.datum for edit in edits if edit.datum.label == label)
            return datum, self.since.fresh[label]
        number = self.numbers.by_label.get(label)
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
    """Bytes of the inputs of each of the datums, as far as git knows their sizes."""
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

    :param before: the manifest at the tip, where the caller has it: texts that it has are not kept twice.
    :raises UserError: when an input names nothing, or has content without a hash.
    """
    spots = tuple(locate_input(tip, pipeline, leaf) for leaf in pfs_leaves(pipeline.input))
    code = _code(tip, pipeline)
    image, identity = environment_of(tip, pipeline)
    every = tip.tree.origin if pipeline.reprocess == "every_job" else ""
    shared = key_base(pipeline, identity, [seen for _, seen in code], push=every)
    known = tip.tree.cache.works.get(pipeline.name)
    if known is not None and (known.pipeline, known.shared) != (pipeline, shared):
        known = None
    work = _followed(tip, known, spots) if known is not None else None
    if work is None:
        sources = tuple(make_source(spot, Listing(list_files(spot))) for spot in spots)
        listings = {number: source.listing for number, source in enumerate(sources)}
        datums = enumerate_datums(pipeline, listings)
        work = PipelineInputs(
            pipeline=pipeline,
            shared=shared,
            locations=spots,
            sources=sources,
            datums=datums,
            keyed=tuple(_keyed(tip, pipeline, shared, datums, sources, before)),
            trigger=_trigger(tip, pipeline, datums, sources, shared),
        )
    work = replace(work, code=tuple(path for path, _ in code), image=image)
    tip.tree.cache.works[pipeline.name] = work
    return work


def _keyed(
    tip: CommitView,
    pipeline: Pipeline,
    shared: KeyBase,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    before: Manifest = _NOTHING,
) -> list[KeyedDatum]:
    key_of, look = key_maker(shared), view_maker(pipeline, sources)
    placed = pipeline.output_path is not None
    row_of = before.finder(len(datums))
    keyed = []
    for datum in prefetch_facts(tip, datums, sources):
        label, key = datum.label, key_of(look(datum, None))
        row = row_of(label)
        if row is not None and row.key == key:
            # The manifest has the same text already, and once is enough.
            label, key = row.datum, row.key
        at = place(pipeline, datum) if placed else ""
        keyed.append(fast_new(KeyedDatum, (label, key, at)))
    return keyed


def _followed(
    tip: CommitView, known: PipelineInputs, spots: tuple[InputLocation, ...]
) -> PipelineInputs | None:
    """The work that was derived of an earlier tree, led on to this one; None when that is too much."""
    listings = [source.listing for source in known.sources]
    sources = tuple(map(make_source, spots, listings))
    if spots == known.locations:
        return replace(known, locations=spots, sources=sources)
    pipeline = known.pipeline
    changes = file_changes(known.locations[0], spots[0]) if can_edit_datums(pipeline) else None
    if changes is None or known.trigger:
        return None
    if not any(changes.values()):
        return replace(known, locations=spots, sources=sources)
    fast_new = edit_datums(pipeline, listings[0], known.datums, **changes)
    sources = (make_source(spots[0], fast_new.listing),)
    fresh = [edit.datum for edit in fast_new.edits if edit.kind != "delete"]
    keyed = _keyed(tip, pipeline, known.shared, fresh, sources)
    return replace(
        known,
        locations=spots,
        sources=sources,
        datums=fast_new.datums,
        keyed=tuple(apply_edits(fast_new.edits, known.keyed, keyed)),
        stamp=object(),
        since=_since(tip, known, fast_new.edits, keyed),
    )


def _since(
    tip: CommitView,
    known: PipelineInputs,
    edits: tuple[DatumEdit, ...],
    keyed: Sequence[KeyedDatum],
) -> ChangesSince | None:
    """The steps from the work that was settled last; None when they have become many."""
    settled = tip.tree.cache.settled.get(known.pipeline.name)
    if settled is None:
        return None
    stamp, fresh = known.stamp, dict[str, KeyedDatum]()
    if stamp is not settled[0]:
        if known.since is None or known.since.stamp is not settled[0]:
            return None
        stamp, earlier, older = known.since
        edits, fresh = (*earlier, *edits), dict(older)
    fresh.update((item.label, item) for item in keyed)
    for edit in edits:
        if edit.kind == "delete":
            fresh.pop(edit.datum.label, None)
    return ChangesSince(stamp, edits, fresh) if len(edits) <= _FEW else None


def _trigger(
    tip: CommitView,
    pipeline: Pipeline,
    datums: Sequence[Datum],
    sources: Sequence[Source],
    shared: KeyBase,
) -> str:
    """A digest of all datums without those inputs whose change alone is to start nothing."""
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


def environment_of(tip: CommitView, pipeline: Pipeline) -> tuple[str, tuple[str, ...]]:
    """The annexed image of a pipeline (or nothing), and what identifies its environment.

    The image is known by its content: the same bytes are the same environment, under any name.
    """
    image = pipeline.transform.image
    if not image:
        return "", ("host",)
    digest = image_digest(image)
    if digest:
        return "", ("image", digest)
    path = container_image(tip.tree.blob_at(".datalad/config") or b"", image)
    if not path:
        raise SpecError(
            f"this dataset has no container {image}",
            hint="add it with datalad containers-add, or pin an image of a registry as "
            "name@sha256:…",
            file=pipeline.spec_path,
            line=pipeline.spec_line,
            key="transform.image",
        )
    return path, ("image", str(tip.files.fact(path).content))


def _code(tip: CommitView, pipeline: Pipeline) -> list[tuple[str, VisibleFile]]:
    """The declared files that the command sees besides its inputs."""
    if pipeline.transform.code is None:
        paths = _default_code(tip, pipeline)
    else:
        globs = [Glob(pattern) for pattern in pipeline.transform.code]
        paths = [
            path
            for path, entry in walk_tree(tip.tree.objects.tree, tip.tree.root)
            if entry.mode != SUBMODULE and any(g.match("/" + path) for g in globs)
        ]
    seen = []
    for path in paths:
        fact = tip.files.fact(path)
        seen.append((path, VisibleFile(path, fact.executable, fact.content)))
    return seen


def _default_code(tip: CommitView, pipeline: Pipeline) -> list[str]:
    """``code/`` and the files beside the pipeline file that are not results."""
    paths = []
    code = tip.tree.entry("code")
    if code is not None and code.mode == TREE:
        paths += [
            path
            for path, entry in walk_tree(tip.tree.objects.tree, code.oid, "code/")
            if entry.mode != SUBMODULE
        ]
    beside = pipeline.spec_path.rpartition("/")[0]
    home = tip.tree.entry(beside)
    if home is not None and home.mode == TREE and beside:
        found = [
            f"{beside}/{name}"
            for name, entry in tip.tree.objects.tree(home.oid).items()
            if entry.mode not in (TREE, SUBMODULE)
            and not (name in SPEC_NAMES or name == manifest_text.NAME or name.startswith(".git"))
        ]
        left = set(found)
        for other in tip.pipelines if found else ():
            prefix = other.home + "/" if other.home else ""
            if beside.startswith(other.home):
                below = (path[len(prefix) :] for path in left if path.startswith(prefix))
                owned = read_manifest(tip.tree, other.home).owned(below)
                left.difference_update(prefix + path for path in owned)
        known = set(paths)
        paths += [path for path in found if path in left and path not in known]
    return sorted(paths, key=_byte_order)


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
            f"{pipeline.output_path} gives {text or 'nothing'} for datum {datum.label}",
            hint="use captures that the glob makes, such as $1",
            file=pipeline.spec_path,
            key="output.path",
        )
    return text


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
