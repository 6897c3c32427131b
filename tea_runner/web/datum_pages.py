"""One datum of a job: what ran, what it read and wrote, and how long that took."""

from __future__ import annotations

from flask import Blueprint, Response

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.job_and_datum_details import DatumDetails, picture_type
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import run_status
from tea_runner.web import not_found_texts
from tea_runner.web.datum_lineage import lineage_picture, neighbouring_jobs
from tea_runner.web.datum_page_content import DIGITS, datum_view, job_details, spec_page
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

#: Largest picture that is sent, in bytes.
_LARGEST = 64 * 1024


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
    routes.add_url_rule(
        "/jobs/<job>/datums/<key>/pictures/<int:number>/before",
        "previous_picture",
        lambda job, key, number: _picture(desk, job, key, number, before=True),
    )


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
    near = neighbouring_jobs(run, job) if run is not None else ()
    facts = {**desk.site.jobs.facts(near), job: record}
    status = run_status(run, facts) if run is not None else None
    rows = status.pipelines if status is not None else ()
    row = next((each for each in rows if job in each.jobs), None)
    state = record.state_of(key)
    view = datum_view(desk, record, row, label, key)
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
        view=view,
        lineage=lineage_picture(desk, status, row, view) if status and row else "",
        details=job_details(desk, job),
        spec=spec_page(desk, record),
        downstream=[each.name for each in rows if row is not None and row.name in each.upstream],
        forge=lambda commit: desk.forge(record.job.repository, commit) if record.job else "",
        command=f"tea-runner why {key[:16]}",
    )


def _picture(
    desk: PageContext, job: str, key: str, number: int, *, before: bool = False
) -> Response:
    """A picture that a command wrote: bytes of a known type, which no browser takes for anything else."""
    record = desk.job(job)
    _, key = _find(record, key)
    details = job_details(desk, job)
    previews = details.datums.get(key, DatumDetails()).previews if details is not None else ()
    found = previews[number] if number < len(previews) else None
    data = b"" if found is None else found.before if before else found.data
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
