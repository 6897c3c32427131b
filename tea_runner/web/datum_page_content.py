"""What pages show of one datum: its files with their pages on the forge, pictures, texts and measures."""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job_and_datum_details import DatumDetails, JobDetails, Preview
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import PipelineStatus
from tea_runner.present.forge_page import file_page
from tea_runner.web.page_context import PageContext

#: Digits of a key in addresses; a job has few datums.
DIGITS = 16


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
    #: Address of the picture that it replaces; empty for none.
    before: str = ""
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
    before = f"{address}/before" if preview.before else ""
    return ShownPreview(path=preview.path, address=address, before=before)
