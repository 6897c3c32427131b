"""Ticks as inputs: which a schedule has at a commit, and the files that they are.

A tick is a file in no commit.  What a results commit was made of is in its manifest, whose labels name
ticks; ticks that no manifest names yet come with the plan, as moved pins of subdatasets do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from tea_runner.core.datums.file_fact import GeneratedFile
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import Source
from tea_runner.core.pipeline import Combined, Cron, Input, Pipeline, cron_leaves
from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.planning.tick_names import ticks_by_input
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.core.spec.variable_values import still_valid
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_manifest import read_manifest


def resolve_ticks(
    tip: CommitReader, pipeline: Pipeline, before: Manifest | None = None
) -> Pipeline:
    """The pipeline with the ticks of its schedules; the same one if it has them, or no schedule.

    :param before: the manifest at the commit, if it has been read.
    """
    schedules = cron_leaves(pipeline.input)
    if all(schedule.ticks is not None for schedule in schedules):
        return pipeline
    if before is None:
        before = read_manifest(tip.tree, pipeline.home)
    known = ticks_by_input(row.datum for row in before.rows)
    for schedule in schedules:
        new = tip.tree.ticks.get((pipeline.name, schedule.name), ())
        known[schedule.name] = sorted({*known.get(schedule.name, ()), *new})
    return with_ticks(pipeline, known)


def due_ticks(
    tip: CommitReader, book: TickBook, clock: ScheduleClock, busy: Collection[str] = ()
) -> TickBook:
    """The book with the ticks that are due for the pipelines of a commit; the same one without such.

    :param busy: names of pipelines that get no tick now.

    Costs the manifests of pipelines with a schedule, and nothing where there is none.
    """
    written = (each for each in tip.pipelines.written if each.name not in busy)
    scheduled = [each for each in written if cron_leaves(each.input)]
    now = clock.now() if scheduled else None
    if now is None:
        return book
    known = {
        (pipeline.name, name): ticks
        for pipeline in scheduled
        for name, ticks in _published(tip, pipeline).items()
    }
    return book.with_due(scheduled, known, now, clock.zone)


class AskedTicks(Protocol):
    """Ticks that people asked for on a branch; every method raises QueueError."""

    def pending(self) -> Sequence[AskedTick]:
        """What is not recorded yet, in the order of time."""
        ...

    def recorded(self, asked: AskedTick) -> None:
        """Forget one that is in git."""
        ...


def with_asked(tip: CommitReader, book: TickBook, asked: Iterable[AskedTick]) -> TickBook:
    """The book with ticks by hand of the schedules of pipelines, and the values that came with them.

    A pipeline that there is not has no tick, and a value that its file does not allow does not count.
    """
    for each in asked:
        pipeline = tip.pipelines.by_name.get(each.pipeline)
        if pipeline is None:
            continue
        for schedule in cron_leaves(pipeline.input):
            book = book.with_tick((pipeline.name, schedule.name), schedule, each.tick)
        if pipeline.variables:
            given = dict(still_valid(pipeline.variables, dict(each.variables)))
            book = book.with_variables(pipeline.name, given)
        book = book.with_fired(pipeline.name)
    return book


def _published(tip: CommitReader, pipeline: Pipeline) -> dict[str, list[str]]:
    rows = read_manifest(tip.tree, pipeline.home).rows
    return ticks_by_input(row.datum for row in rows)


def ticks_of_labels(pipeline: Pipeline, labels: Iterable[str]) -> Pipeline:
    """The pipeline with those ticks alone that labels of datums name."""
    if not cron_leaves(pipeline.input):
        return pipeline
    return with_ticks(pipeline, ticks_by_input(labels))


def with_ticks(pipeline: Pipeline, ticks: Mapping[str, Iterable[str]]) -> Pipeline:
    """The pipeline with these ticks, by name of the schedule; with ``overwrite`` the newest of them."""

    def filled(node: Input) -> Input:
        if isinstance(node, Combined):
            return replace(node, inputs=tuple(map(filled, node.inputs)))
        if not isinstance(node, Cron) or node.ticks is not None:
            return node
        some = sorted(ticks.get(node.name, ()))
        return replace(node, ticks=tuple(some[-1:] if node.overwrite else some))

    return replace(pipeline, input=filled(pipeline.input))


def tick_sources(pipeline: Pipeline) -> tuple[Source, ...]:
    """The inputs that the schedules of a pipeline are, in the order of the file."""
    return tuple(
        Source(
            prefix=schedule.name,
            listing=Listing(schedule.ticks or ()),
            fact=_fact,
            is_generated=True,
        )
        for schedule in cron_leaves(pipeline.input)
    )


def _fact(tick: str) -> GeneratedFile:
    return GeneratedFile.of(f"{tick}\n".encode())
