"""Where the data of one datum come from and go to, as boxes of a picture.

The files that jobs noted join datums of neighbouring pipelines; what is further away, and datums that were
not computed in this run, are shown as their pipelines.  Costs: the notes of at most :data:`_JOBS` jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flask import url_for
from markupsafe import Markup

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import PipelineStatus, RunStatus
from tea_runner.present.pipeline_graph import Box, dag_svg
from tea_runner.web.datum_page_content import DIGITS, DatumView, ShownFile, job_details
from tea_runner.web.page_context import PageContext

#: Jobs of a neighbouring pipeline whose notes are read, and boxes for its datums or for files.
_JOBS, _BOXES = 20, 4


@dataclass
class _Drawing:
    """Boxes by name, and the names of those that each reads."""

    boxes: dict[str, Box] = field(default_factory=dict)
    upstream: dict[str, list[str]] = field(default_factory=dict)

    def add(self, box: Box, *, after: Sequence[str] = ()) -> None:
        self.boxes.setdefault(box.name, box)
        self.upstream.setdefault(box.name, []).extend(after)


def neighbouring_jobs(run: Run, job: str) -> list[str]:
    """Ids of jobs of the pipelines that the one of a job reads, and of those that read it."""
    own = next((row for row in run.pipelines if job in row.jobs), None)
    if own is None:
        return []
    near = [row for row in run.pipelines if row.name in own.upstream or own.name in row.upstream]
    return [each for row in near for each in row.jobs[:_JOBS]]


def lineage_picture(
    desk: PageContext, status: RunStatus, row: PipelineStatus, view: DatumView
) -> Markup:
    """The picture of a datum's lineage; empty while its files are not known."""
    if not view.inputs:
        return Markup()
    rows = {each.name: each for each in status.pipelines}
    numbers = {each.name: number for number, each in enumerate(status.pipelines, 1)}
    drawing = _Drawing()

    def pipeline_box(name: str) -> Box:
        link = url_for("pages.run", run=status.run.id) + f"#pipeline-{numbers[name]}"
        return Box(name=name, state=rows[name].state, note="pipeline", link=link)

    def neighbours(name: str, paths: set[str], *, outputs: bool) -> list[Box]:
        found = list(_datums(desk, rows[name], paths, outputs=outputs))
        return found[:_BOXES] or [pipeline_box(name)]

    here = Box(
        name=f"{row.name}: {shown_label(view.label)}",
        state=next((each.state for each in row.datums if each.key == view.key), None),
        note="this datum",
    )
    direct = [rows[name] for name in row.upstream if name in rows]
    homes = {each.name: f"{each.home}/" if each.home else "" for each in direct}
    for file in _sources(view.inputs, [home for home in homes.values() if home]):
        drawing.add(file)
        drawing.add(here, after=[file.name])
    for each in direct:
        paths = {file.path for file in view.inputs if file.path.startswith(homes[each.name])}
        boxes = neighbours(each.name, paths, outputs=True)
        for box in boxes:
            drawing.add(box)
            drawing.add(here, after=[box.name])
        _add_ancestors(drawing, rows, each, boxes, pipeline_box)
    drawing.add(here)
    written = {file.path for file in view.outputs}
    readers = [each for each in status.pipelines if row.name in each.upstream]
    for each in readers:
        boxes = neighbours(each.name, written, outputs=False)
        for box in boxes:
            drawing.add(box, after=[here.name])
        _add_descendants(drawing, status.pipelines, each, boxes, pipeline_box)
    picture = dag_svg(list(drawing.boxes.values()), drawing.upstream, label="Lineage of the datum")
    return Markup(picture)  # noqa: S704 - dag_svg escapes all names


def _sources(files: Sequence[ShownFile], homes: Sequence[str]) -> Iterator[Box]:
    """Boxes of the inputs that no pipeline of the run has made."""
    own = (
        [file for file in files if not file.path.startswith(tuple(homes))] if homes else list(files)
    )
    for file in own[:_BOXES]:
        yield Box(name=file.path, note="input", link=file.link)
    if len(own) > _BOXES:
        yield Box(name=f"{len(own) - _BOXES} more inputs")


def _datums(
    desk: PageContext, row: PipelineStatus, paths: set[str], *, outputs: bool
) -> Iterator[Box]:
    """The datums of a pipeline that have written these files, or have read them."""
    states = {each.key: each for each in row.datums}
    for job in row.jobs[:_JOBS]:
        details = job_details(desk, job)
        for key, each in details.datums.items() if details is not None else ():
            files = each.outputs if outputs else each.inputs
            datum = states.get(key)
            if datum is not None and any(path in paths for path, _ in files):
                yield Box(
                    name=f"{row.name}: {shown_label(datum.label)}",
                    state=datum.state,
                    note="datum",
                    link=url_for("pages.datum", job=job, key=key[:DIGITS]),
                )


def _add_ancestors(
    drawing: _Drawing,
    rows: Mapping[str, PipelineStatus],
    first: PipelineStatus,
    boxes: Sequence[Box],
    box_of: Callable[[str], Box],
) -> None:
    """The pipelines before a neighbour."""
    readers = {first.name: [box.name for box in boxes]}
    left = [first.name]
    while left:
        name = left.pop()
        for above in rows[name].upstream:
            if above not in rows:
                continue
            for reader in readers[name]:
                if above not in drawing.upstream[reader]:
                    drawing.upstream[reader].append(above)
            if above not in readers:
                readers[above] = [above]
                drawing.add(box_of(above))
                left.append(above)


def _add_descendants(
    drawing: _Drawing,
    rows: Sequence[PipelineStatus],
    first: PipelineStatus,
    boxes: Sequence[Box],
    box_of: Callable[[str], Box],
) -> None:
    """The pipelines behind a neighbour."""
    makers = {first.name: [box.name for box in boxes]}
    left = [first.name]
    while left:
        name = left.pop()
        for below in rows:
            if name not in below.upstream:
                continue
            drawing.add(
                box_of(below.name),
                after=[
                    each
                    for each in makers[name]
                    if each not in drawing.upstream.get(below.name, ())
                ],
            )
            if below.name not in makers:
                makers[below.name] = [below.name]
                left.append(below.name)
