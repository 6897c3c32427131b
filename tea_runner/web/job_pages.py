"""Page, JSON and raw log of a job."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request, url_for
from markupsafe import Markup

from tea_runner.core.errors import NotFound
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import PipelineStatus, RunStatus, run_status
from tea_runner.present.json_documents import job_document
from tea_runner.present.repeat_commands import FinishedJob, StorageAddress, repeat_commands
from tea_runner.web.cancel_and_retry_pages import job_actions_for
from tea_runner.web.datum_page_content import datum_view, job_details, spec_page
from tea_runner.web.log_lines import PART, last_part, part_with_line
from tea_runner.web.page_context import PageContext, split_json_suffix

#: Largest number of datums that the page lists.
_DATUMS = 200


def add_job_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/jobs/<id>``, its JSON and ``/jobs/<id>/log``."""
    routes.add_url_rule("/jobs/<job>", "job", lambda job: _job(desk, job))
    routes.add_url_rule("/jobs/<job>/log", "log", lambda job: send_log(desk, job))


def _job(desk: PageContext, name: str) -> Response:
    name, as_json = split_json_suffix(name)
    facts = desk.job(name)
    found = desk.site.runs.run_of_job(name)
    run = run_status(found, {name: facts}) if found is not None else None
    if as_json:
        return desk.answer("job.html", job_document(facts, run), as_json=True)
    row = _row(run, facts)
    whys = {datum.key: datum.why for datum in row.datums} if row else {}
    log = desk.site.log(name)
    size = log.size()
    going_on = facts.state in ("waiting", "running")
    number = request.args.get("line", 0, type=int)
    if 0 < number < 1 << 40:
        part = part_with_line(log, number, ended=not going_on)
    else:
        part = last_part(log, ended=not going_on)
    # A part from the middle of the log is not followed.
    follows = going_on and (not number or part.offset >= size)
    until = facts.ended or (time.time() if facts.state == "running" else 0.0)
    return desk.answer(
        "job.html",
        {},
        as_json=False,
        live=going_on,
        events=url_for("pages.job_events", job=name) if going_on else "",
        facts=facts,
        job=facts.job,
        run=run,
        results=row.commit if row and facts.state == "done" else "",
        datums=[(label, key, whys.get(key, "")) for label, key in facts.datums[:_DATUMS]],
        took=until - facts.started if facts.started and until else None,
        waited=facts.started - facts.created if facts.started and facts.created else None,
        log=Markup(part.html),  # noqa: S704 - each line was escaped
        log_events=f"{url_for('pages.log_events', job=name)}?from={part.place}" if follows else "",
        log_size=size,
        cut=size > PART,
        again=_again(desk, facts, row),
        server_url=desk.site.settings.web_url,
        actions=job_actions_for(facts),
        view=datum_view(desk, facts, row, *facts.datums[0]) if len(facts.datums) == 1 else None,
        details=job_details(desk, name),
        spec=spec_page(desk, facts),
        remark=row.remark if row else "",
        forge=lambda commit: desk.forge(facts.job.repository, commit) if facts.job else "",
        command=f"tea-runner show {name}",
    )


def _row(run: RunStatus | None, facts: JobRecord) -> PipelineStatus | None:
    rows = run.pipelines if run else ()
    return next((row for row in rows if facts.id in row.jobs), None)


def _again(desk: PageContext, facts: JobRecord, row: PipelineStatus | None) -> list[str]:
    """Shell commands that run the job again on any computer."""
    job = facts.job
    if job is None:
        return []
    results = row.commit if row is not None and facts.state == "done" else ""
    storages = [
        StorageAddress(
            name=storage.name,
            uuid=storage.uuid,
            options=storage.options,
            variables=tuple(name for name, _ in storage.env),
        )
        for storage in desk.site.listed_storages(job.repository)
    ]
    return repeat_commands(
        FinishedJob(
            remote=desk.site.forge.remote_url(job.repository),
            repository=job.repository,
            commit=job.commit,
            pipeline=job.pipeline,
            results=results,
            key=job.datums[0][1] if job.datums else "",
            labels=[label for label, _ in job.datums],
            image=job.image,
            variables=job.variables,
            storages=storages,
        )
    )


def send_log(desk: PageContext, name: str) -> Response:
    """Send the raw log: whole, its last bytes (``?tail=4096``), or a range (RFC 9110)."""
    log = desk.site.log(name)
    size = log.size()
    if not size:
        desk.job(name)
    start, stop, status = 0, size, 200
    last = request.args.get("tail", type=int)
    asked = request.range
    if asked is not None and asked.units == "bytes":
        part = asked.range_for_length(size)
        if part is None or part[1] is None or part[0] >= part[1]:
            refusal = Response(f"the log has {size} bytes\n", 416, mimetype="text/plain")
            refusal.headers["Content-Range"] = f"bytes */{size}"
            return refusal
        start, stop, status = part[0], part[1], 206
    elif last is not None:
        if last < 0:
            raise NotFound("tail must be a number of bytes")
        start = max(0, size - last)
    response = Response(log.read(start, stop), status, mimetype="text/plain")
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "no-store"
    return response
