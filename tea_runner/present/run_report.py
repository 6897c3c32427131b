"""A run as one HTML file that needs nothing else: graph, counts, datums, timeline, pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import DatumStatus, PipelineStatus, RunStatus
from tea_runner.core.planning.states import STATES
from tea_runner.present.human_units import duration, moment, size
from tea_runner.present.job_timeline import job_timeline
from tea_runner.present.picture_style import STYLE
from tea_runner.present.pipeline_graph import Box, dag_svg
from tea_runner.present.state_words import (
    SHAPES,
    pipeline_remark,
    progress,
    run_sentence,
)
from tea_runner.present.visible_text import visible

#: Datums of each pipeline in the table.
_ROWS = 5000
_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
#: No script, no address: what strangers wrote can do nothing in it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_PAGE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 16px;
background: #fbfbfa; color: #22252a; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid #deddd8;
overflow-wrap: anywhere; vertical-align: top; }
td.number { text-align: right; white-space: nowrap; }
figure { display: inline-block; margin: 8px 16px 8px 0; max-width: 320px; }
figure img { max-width: 100%; height: auto; background: #ffffff; }
figcaption { font-size: 13px; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
.timeline .mark { stroke: #deddd8; } .timeline rect { fill: currentColor; }
.timeline text { font-size: 11px; font-weight: 400; } .timeline .scale { text-anchor: middle; }
@media (prefers-color-scheme: dark) { body { background: #16181b; color: #dfe1e4; }
th, td { border-color: #33373d; } a { color: #7db8e8; } }
"""


@dataclass(frozen=True, kw_only=True)
class ReportPicture:
    """An output that is a picture."""

    path: str
    data: bytes


def picture_type(path: str) -> str:
    """The media type of a picture by its name; empty for other files."""
    return _TYPES.get(path.rpartition(".")[2].lower(), "")


def run_report(
    status: RunStatus,
    jobs: Mapping[str, JobRecord],
    measures: Mapping[str, DatumMeasures],
    pictures: Sequence[ReportPicture],
    *,
    version: str,
    now: float,
) -> str:
    """The whole file.

    :param measures: by the datums' keys.
    :param version: of tea-runner.
    :param now: seconds since 1970; the end of jobs that run.
    """
    run = status.run
    title = f"{run.repository} {run.branch} {run.commit[:10]}"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_text(title)}</title><style>{STYLE}{_PAGE}</style></head><body>",
            f"<h1>{_text(title)}</h1>",
            *_head(status),
            "<h2>Pipelines</h2>",
            _graph(status),
            *_pipelines(status.pipelines),
            *_timeline(jobs, now),
            *_pictures(pictures),
            "<h2>Datums</h2>",
            *(line for row in status.pipelines for line in _datums(row, measures)),
            f"<footer><p>tea-runner {_text(version)}</p></footer></body></html>",
            "",
        ]
    )


def _text(text: str) -> str:
    return escape(visible(text))


def _head(status: RunStatus) -> Iterator[str]:
    run = status.run
    yield f"<p><strong>{SHAPES[status.state]} {status.state}</strong> {_text(run_sentence(status))}</p>"
    rows = (
        ("Commit", f"{run.commit} {run.title}"),
        ("Author", run.author),
        ("Cause", run.why),
        ("Started", moment(run.started)),
        ("Ended", moment(run.ended)),
        ("Run", run.id),
    )
    yield "<table>"
    yield from (f"<tr><th>{name}</th><td>{_text(value)}</td></tr>" for name, value in rows if value)
    yield "</table>"
    yield from (f"<p>problem: {_text(problem)}</p>" for problem in run.problems)


def _graph(status: RunStatus) -> str:
    boxes = [Box(name=row.name, state=row.state, note=progress(row)) for row in status.pipelines]
    return dag_svg(boxes, {row.name: row.upstream for row in status.pipelines})


def _pipelines(rows: Sequence[PipelineStatus]) -> Iterator[str]:
    yield "<table><tr><th>pipeline</th><th>state</th><th>datums</th><th>results commit</th><th></th></tr>"
    for row in rows:
        cells = (row.name, f"{SHAPES[row.state]} {row.state}", progress(row), row.commit)
        remark = pipeline_remark(row)
        yield f"<tr>{''.join(f'<td>{_text(each)}</td>' for each in (*cells, remark))}</tr>"
    yield "</table>"


def _timeline(jobs: Mapping[str, JobRecord], now: float) -> Iterator[str]:
    picture = job_timeline(jobs.values(), now)
    if picture:
        yield from ("<h2>Jobs by worker</h2>", picture)


def _pictures(pictures: Sequence[ReportPicture]) -> Iterator[str]:
    if pictures:
        yield "<h2>Pictures</h2>"
    for picture in pictures:
        data = base64.b64encode(picture.data).decode()
        name = _text(picture.path)
        yield (
            f'<figure><img alt="{name}" src="data:{picture_type(picture.path)};base64,{data}">'
            f"<figcaption>{name}</figcaption></figure>"
        )


def _datums(row: PipelineStatus, measures: Mapping[str, DatumMeasures]) -> Iterator[str]:
    yield f"<h3>{_text(row.name)}</h3>"
    yield (
        "<table><tr><th>datum</th><th>state</th><th>why</th><th>time</th><th>memory</th>"
        "<th>read</th><th>written</th></tr>"
    )
    ordered = sorted(row.datums, key=lambda datum: STATES.index(datum.state))
    yield from (_datum(each, measures.get(each.key)) for each in ordered[:_ROWS])
    yield "</table>"
    rest = len(row.datums) - _ROWS
    left_out = max(0, rest) + row.unlisted
    if left_out:
        yield f"<p>and {left_out:,} more</p>"


def _datum(datum: DatumStatus, measured: DatumMeasures | None) -> str:
    why = f"{datum.why}: {datum.error}" if datum.error else datum.why
    if measured is not None and measured.raised_memory is not None:
        why += f"; it ran again with {size(measured.raised_memory)} of memory"
    numbers = (
        ("", "", "", "")
        if measured is None
        else (
            duration(measured.seconds),
            size(measured.memory),
            size(measured.read),
            size(measured.written),
        )
    )
    cells = (shown_label(datum.label), f"{SHAPES[datum.state]} {datum.state}", why)
    texts = "".join(f"<td>{_text(each)}</td>" for each in cells)
    sizes = "".join(f'<td class="number">{each}</td>' for each in numbers)
    return f'<tr class="datum">{texts}{sizes}</tr>'
