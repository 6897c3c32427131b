"""One datum of a job: what ran, what it read and wrote, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.datum_previews import DatumDetails, JobDetails, Preview, picture_type
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import PipelineStatus, run_status
from tea_runner.present.forge_page import file_page
from tea_runner.web import not_found_texts
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

#: Digits of a key in addresses; a job has few datums.
DIGITS = 16
#: Largest picture that is sent, in bytes.
_LARGEST = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class ShownFile:
    """A file with its size and its page on the forge."""

    path: str
    size: int
    link: str


@dataclass(frozen=True, kw_only=True)
class ShownPreview:
    """A picture by its address, or a text."""

    path: str
    address: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class DatumView:
    """What a page shows of one datum."""

    label: str
    key: str
    measures: DatumMeasures | None
    details: DatumDetails
    inputs: tuple[ShownFile, ...]
    outputs: tuple[ShownFile, ...]
    previews: tuple[ShownPreview, ...]


def add_datum_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add the pages of datums, and their pictures."""
    routes.add_url_rule(
        "/jobs/<job>/datums/<key>", "datum", lambda job, key: _datum(desk, job, key)
    )
    routes.add_url_rule(
        "/jobs/<job>/datums/<key>/pictures/<int:number>",
        "picture",
        lambda job, key, number: _picture(desk, job, key, number),
    )


def job_details(desk: PageContext, job: str) -> JobDetails | None:
    """What a job ran; None while it runs."""
    return desk.lately(("details", job), lambda: desk.site.measures.details(job))


def datum_view(
    desk: PageContext, record: JobRecord, row: PipelineStatus | None, label: str, key: str
) -> DatumView:
    """What is known of a datum.

    :param row: its pipeline in the run that has the job.
    """
    details = job_details(desk, record.id)
    found = details.datums.get(key, DatumDetails()) if details is not None else DatumDetails()
    rows = desk.lately(
        ("measures", record.id), lambda: desk.site.measures.get([record.id]).get(record.id, [])
    )
    results = row.commit if row is not None and record.state == "done" else ""
    pushed = record.job.commit if record.job is not None else ""

    def shown(files: tuple[tuple[str, int], ...], commit: str) -> tuple[ShownFile, ...]:
        return tuple(
            ShownFile(path=path, size=size, link=_file(desk, record, commit, path))
            for path, size in files
        )

    return DatumView(
        label=label,
        key=key,
        measures=next((each for each in rows if each.key == key), None),
        details=found,
        inputs=shown(found.inputs, pushed),
        outputs=shown(found.outputs, results),
        previews=tuple(
            _shown_preview(record.id, key, number, each)
            for number, each in enumerate(found.previews)
        ),
    )


def spec_page(desk: PageContext, record: JobRecord) -> str:
    """Page of the pipeline file as it was; empty where it is not known."""
    details = job_details(desk, record.id)
    if details is None or record.job is None or not details.spec_path:
        return ""
    page = _file(desk, record, record.job.commit, details.spec_path)
    return page and f"{page}#L{details.spec_line}"


def _file(desk: PageContext, record: JobRecord, commit: str, path: str) -> str:
    said = desk.site.settings.forge
    if record.job is None or not commit:
        return ""
    return file_page(said.kind, said.url, record.job.repository, commit, path)


def _shown_preview(job: str, key: str, number: int, preview: Preview) -> ShownPreview:
    if preview.type == "text/plain":
        return ShownPreview(path=preview.path, text=preview.data.decode("utf-8", "replace"))
    address = url_for("pages.picture", job=job, key=key[:DIGITS], number=number)
    return ShownPreview(path=preview.path, address=address)


def _find(record: JobRecord, begin: str) -> tuple[str, str]:
    """Label and key of the datum whose key begins so."""
    for label, key in record.datums:
        if len(begin) >= DIGITS and key.startswith(begin):
            return label, key
    raise NotFound(not_found_texts.JOB)


def _datum(desk: PageContext, job: str, key: str) -> Response:
    record = desk.job(job)
    label, key = _find(record, key)
    run = desk.site.runs.run_of_job(job)
    status = run_status(run, {job: record}) if run is not None else None
    rows = status.pipelines if status is not None else ()
    row = next((each for each in rows if job in each.jobs), None)
    state = record.state_of(key)
    return desk.answer(
        "datum.html",
        {},
        as_json=False,
        run=status,
        facts=record,
        job=record.job,
        row=row,
        datum=next((each for each in row.datums if each.key == key), None) if row else None,
        state=state,
        can_recompute=status is not None
        and state == "done"
        and visitor().writes(status.run.repository),
        error=record.error_of(key) if state == "failed" else "",
        view=datum_view(desk, record, row, label, key),
        details=job_details(desk, job),
        spec=spec_page(desk, record),
        downstream=[each.name for each in rows if row is not None and row.name in each.upstream],
        forge=lambda commit: desk.forge(record.job.repository, commit) if record.job else "",
        command=f"tea-runner why {key[:16]}",
    )


def _picture(desk: PageContext, job: str, key: str, number: int) -> Response:
    """A picture that a command wrote: bytes of a known type, which no browser takes for anything else."""
    record = desk.job(job)
    _, key = _find(record, key)
    details = job_details(desk, job)
    previews = details.datums.get(key, DatumDetails()).previews if details is not None else ()
    data = previews[number].data if number < len(previews) else b""
    kind = picture_type(data)
    if not kind or len(data) > _LARGEST:
        raise NotFound(not_found_texts.JOB)
    response = Response(data, mimetype=kind)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    )
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
