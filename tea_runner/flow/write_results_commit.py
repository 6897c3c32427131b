"""The results commit of a pipeline whose results are all known: composed, written, pushed.

The commit's id depends on its inputs only: the tip, the results, the records.  Author and dates come
from the tip and the settings, never from the clock or the host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from tea_runner.core.datums.content_identity import Content, key_content, pointer_key
from tea_runner.core.datums.datum import Datum
from tea_runner.core.errors import ContentMissing
from tea_runner.core.git import annex_paths
from tea_runner.core.git.tree import PLAIN, SUBMODULE, TreeEntry, edit_tree, lookup
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.results import manifest_text
from tea_runner.core.results.common_output_branch import output_branch
from tea_runner.core.results.compose_commit import (
    Changes,
    Composition,
    FinishedDatum,
    NewEntry,
    PipelineChange,
    compose,
)
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import Result
from tea_runner.core.results.run_record import CAUSE, RecordedCommand, format_record, format_summary
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.distinct_output_names import check_distinct_names
from tea_runner.flow.empty_file_placeholders import empty_file_contents
from tea_runner.flow.paths_that_are_no_outputs import falsely_claimed_paths
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.record_location_logs import log_presence
from tea_runner.flow.recorded_command import with_attached_files
from tea_runner.flow.sign_manifest import ManifestSigner, dataset_signer
from tea_runner.flow.signed_manifest_rows import manifest_signer
from tea_runner.flow.tracked_subdatasets import HOPS, causes, hops, used
from tea_runner.ports import Dataset, Objects, TreeStore


def published(plan: PipelinePlan) -> list[Decision]:
    """The datums of a plan whose results its commit is to have, without those that it has."""
    return [each for each in plan.moving if each.action not in ("failed", "wait")]


def finish(
    work: PipelineInputs, results: Iterable[tuple[Decision, Result | None]]
) -> list[FinishedDatum] | Decision:
    """The datums that change, with their results; or the decision of the first without a result."""
    finished = []
    for decision, result in results:
        if result is None:
            return decision
        datum = work.datum(decision.label)
        finished.append(
            FinishedDatum(
                label=decision.label,
                key=decision.key,
                place=decision.place,
                result=result,
                inputs=work.saved_paths(datum),
                linked=work.linked_paths(datum),
                captures=captures(datum),
                edited=decision.reason == "edited",
            )
        )
    return finished


def captures(datum: Datum) -> tuple[str, ...]:
    """The captures ``$1``, ``$2``, … of a datum's first entry that has some."""
    return next((entry.captures[1:] for entry in datum if len(entry.captures) > 1), ())


def settle(
    dataset: Dataset,
    branch: str,
    tip: CommitReader,
    work: PipelineInputs,
    finished: Sequence[FinishedDatum],
    gone: Sequence[str],
    *,
    who: str,
    storage_uuid: Callable[[], str],
    stored: Collection[str] = (),
    command: Callable[[Sequence[FinishedDatum]], RecordedCommand] | None = None,
    former: str | None = None,
) -> tuple[Composition, str] | None:
    """Compose and push the results commit of one pipeline.

    :param finished: the datums whose outputs are to be set.
    :param gone: datums of the manifest at the tip that have no outputs any more.
    :param who: author and committer, ``Name <address>``.
    :param storage_uuid: where jobs store annexed outputs, for the location log.
    :param stored: annex keys that jobs have just stored and verified; others are looked for.
    :param former: a commit with results that this one replaces.
    :param branch: the branch of *tip*; its results may go to another branch beside it.
    :returns: None when the branch, that with its results or the ``git-annex`` branch moved meanwhile, so
        that nothing was published and the branch has to be planned again.
    :raises OutputRefused: when two datums, or a datum and a user, claim one path.
    """
    store = dataset.writer()
    composition, commit = draft(
        dataset.objects,
        store,
        tip,
        work,
        finished,
        gone,
        who=who,
        command=command,
        signer=dataset_signer(dataset),
        is_signed=not dataset.requires_signatures
        or bool(manifest_signer(dataset, tip.tree, work.pipeline.home)),
    )
    if composition.empty:
        return composition, tip.tree.commit
    if dataset.distinct_names:
        check_distinct_names(tip, work.pipeline.home, finished, composition.rest)
    seconds = _seconds(dataset.objects, tip, finished)
    tips = dataset.tips(branch, output_branch(tip.pipelines.written))
    if tips is None or tips.planned != tip.tree.commit:
        return None
    updates = tips.updates(commit)
    linked = {key for item in finished for key in item.result.linked}.difference(stored)
    there_before = dataset.objects.commit(former).tree if former else None

    def is_new(path: str, put: NewEntry) -> bool:
        """Whether former results have no such file: the content of theirs was looked for."""
        there = lookup(dataset.objects.tree, there_before, path) if there_before else None
        return there is None or there.oid != store.add("blob", put.data)

    keys = [key for key in _annex_keys(composition, is_new) if key not in linked]
    if keys:
        annex_tip = dataset.annex_tip()
        labels = [item.label for item in finished]
        places = _places(
            dataset,
            annex_tip,
            keys,
            stored,
            storage_uuid,
            lambda: empty_file_contents(tip, work, labels),
        )
        logged = log_presence(dataset, store, annex_tip, places, who, seconds)
        if logged is not None:
            updates.append(("refs/heads/git-annex", logged, annex_tip))
    store.flush()
    return (composition, commit) if dataset.publish(updates) else None


def draft(
    objects: Objects,
    store: TreeStore,
    tip: CommitReader,
    work: PipelineInputs,
    finished: Sequence[FinishedDatum],
    gone: Sequence[str],
    *,
    who: str,
    command: Callable[[Sequence[FinishedDatum]], RecordedCommand] | None,
    signer: ManifestSigner,
    is_signed: bool,
    resign: bool | None = None,
    keyed_groups: bool = True,
    with_causes: bool = True,
    with_sources: bool = True,
) -> tuple[Composition, str]:
    """Make the results commit of one pipeline without publishing it.

    A function of its arguments and of nothing else, so that anybody can make it again.

    :param signer: signs the manifest.
    :param is_signed: whether the manifest at the tip has a valid signature.
    :param resign: whether it is signed even if no row changes; by default if it is not signed.
    :param keyed_groups: see :class:`PipelineChange`.
    :param with_causes: whether the commit names what moved its pins; earlier versions did not.
    :param with_sources: see :class:`PipelineChange`.
    :raises OutputRefused: when two datums, or a datum and a user, claim one path.
    :raises ContentMissing: when a known result's content is in no storage any more.
    """
    annexed_code = tuple(
        found.path
        for found in map(tip.locate, filter(None, (*work.code, work.image)))
        if found.fact.key is not None
    )
    change = PipelineChange(
        pipeline=work.pipeline,
        finished=finished,
        before=read_manifest(tip.tree, work.pipeline.home),
        removed=gone,
        parts=work.parts,
        dataset_id=tip.tree.dataset_id,
        code=annexed_code,
        entry=tip.tree.reader(),
        files_below=tip.tree.files_below,
        command=command,
        keyed_groups=keyed_groups,
        with_sources=with_sources,
        resign=not is_signed if resign is None else resign,
        foreign=falsely_claimed_paths(tip, work.pipeline, is_signed=is_signed),
    )
    composition = compose(change)
    if composition.empty:
        return composition, tip.tree.commit
    composition, trailers = _with_pins(
        tip, work, with_attached_files(tip, composition), with_causes=with_causes
    )
    if any(item.recomputed for item in finished):
        trailers = (*trailers, ("Tea-Recompute", "1"))
    seconds = _seconds(objects, tip, finished)
    commit = _write(
        objects,
        store,
        tip,
        work,
        composition,
        who=who,
        seconds=seconds,
        more=trailers,
        signer=signer,
    )
    return composition, commit


def _seconds(objects: Objects, tip: CommitReader, finished: Sequence[FinishedDatum]) -> int:
    """The time of the results commit: that of its parent, one second later if a result is replaced."""
    return objects.commit(tip.tree.commit).committed + any(item.recomputed for item in finished)


def _with_pins(
    tip: CommitReader, work: PipelineInputs, composition: Composition, *, with_causes: bool
) -> tuple[Composition, tuple[tuple[str, str], ...]]:
    """Add to the first commit the subdataset pins that the results were computed with."""
    paths = {path for path in used(tip, work.pipeline) if path in tip.tree.pins}
    if not paths:
        return composition, ()
    trailers: tuple[tuple[str, str], ...] = ((HOPS, str(hops(tip, paths))),)
    if with_causes:
        trailers += tuple((CAUSE, commit) for commit in causes(tip, paths))
    pins: Changes = {path: NewEntry(SUBMODULE, oid=tip.tree.pins[path]) for path in paths}
    if not composition.steps:
        return replace(composition, rest={**composition.rest, **pins}), trailers
    first, *others = composition.steps
    first = replace(first, changes={**first.changes, **pins})
    return replace(composition, steps=(first, *others)), trailers


def _write(
    objects: Objects,
    store: TreeStore,
    tip: CommitReader,
    work: PipelineInputs,
    composition: Composition,
    *,
    who: str,
    seconds: int,
    more: tuple[tuple[str, str], ...] = (),
    signer: ManifestSigner,
) -> str:
    def read(oid: str) -> Mapping[str, TreeEntry]:
        return store.trees.get(oid) or objects.tree(oid)

    def edited(root: str, changes: Changes) -> str:
        leaves = {
            path: None
            if put is None
            else TreeEntry(put.mode, put.oid or store.add("blob", put.data))
            for path, put in changes.items()
        }
        return edit_tree(read, store.tree, root, leaves) or store.tree({})

    def last(root: str, changes: Changes) -> str:
        root = edited(root, changes)
        home = work.pipeline.home
        if join(home, manifest_text.NAME) not in composition.rest:
            return root
        files = signer.signature(
            read,
            root,
            home,
            inputs_at=tip.tree.commit,
            recomputed=composition.recomputed,
        )
        signature: Changes = {
            path: None if data is None else NewEntry(PLAIN, data=data)
            for path, data in files.items()
        }
        return edited(root, signature)

    origin = tip.tree.origin
    trailers = (("Tea-Pipeline", work.pipeline.name), ("Tea-Input", origin), *more)
    steps = composition.steps
    if len(steps) == 1:
        step = steps[0]
        record = step.record
        message = format_record(record)
        said = dict(record.trailers)
        message += "".join(f"{name}: {value}\n" for name, value in trailers if name not in said)
        root = last(tip.tree.root, {**step.changes, **composition.rest})
        return store.commit(root, [tip.tree.commit], message, who=who, seconds=seconds, signed=True)
    root, parent = tip.tree.root, tip.tree.commit
    for step in steps:
        root = edited(root, step.changes)
        message = format_record(step.record)
        parent = store.commit(root, [parent], message, who=who, seconds=seconds)
    root = last(root, composition.rest)
    title = (
        f"{work.pipeline.name}: {composition.changed} of {composition.manifest.count} "
        f"datums changed"
    )
    if composition.removed:
        title += f", {composition.removed} removed"
    parents = [tip.tree.commit] if parent == tip.tree.commit else [tip.tree.commit, parent]
    message = format_summary(title, "", trailers)
    # One signature is for the whole chain: the commit names its parents.
    return store.commit(root, parents, message, who=who, seconds=seconds, signed=True)


def _annex_keys(composition: Composition, is_new: Callable[[str, NewEntry], bool]) -> list[str]:
    """Annex keys that this commit adds to the tree, of new files."""
    links = [
        pointer_key(put.mode, put.data)
        for step in composition.steps
        for path, put in step.changes.items()
        if put is not None and put.data and is_new(path, put)
    ]
    return sorted({key for key in links if key})


def _places(
    dataset: Dataset,
    annex_tip: str | None,
    keys: Sequence[str],
    stored: Collection[str],
    storage_uuid: Callable[[], str],
    placeholders: Callable[[], Collection[Content]],
) -> dict[str, str]:
    """Storage of each key whose location has to be logged.

    What a job has just stored was verified by it; a result that is known from former times is
    looked for, because no pointer is published whose content nobody has, but for that of an input.
    """
    places = {key: storage_uuid() for key in keys if key in stored}
    former = [key for key in keys if key not in stored]
    if not former:
        return places
    found = dataset.content_locations(former)
    gone = [key for key in former if key not in found]
    if gone and dataset.is_clone:
        # A clone does not have all content itself; its location log says who has.
        gone = [key for key in gone if not _logged(dataset, annex_tip, key)]
    if gone:
        absent = placeholders()
        gone = [key for key in gone if key_content(key) not in absent]
    if gone:
        raise ContentMissing(f"the content of key {gone[0]} is in no storage any more", tuple(gone))
    return {**places, **found}


def _logged(dataset: Dataset, annex_tip: str | None, key: str) -> bool:
    if annex_tip is None:
        return False
    root = dataset.objects.commit(annex_tip).tree
    entry = lookup(dataset.objects.tree, root, annex_paths.log_path(key))
    log = (dataset.objects.blob(entry.oid) or b"") if entry else b""
    return any(line.split(b" ")[1:2] == [b"1"] for line in log.splitlines())
