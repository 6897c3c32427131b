"""Jobs by worker over time, as SVG: who did what when, and who waited for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from xml.sax.saxutils import escape

from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.states import STATES, State
from tea_runner.present.human_units import duration
from tea_runner.present.state_words import SHAPES, counts_text
from tea_runner.present.visible_text import visible

#: Width of names and of bars, height of a row, and how many workers are drawn.
_NAMES, _BARS, _ROW, _WORKERS = 150, 830, 20, 30
#: Bars that are drawn at most, of all workers and of each: where there are more jobs, neighbours are one.
_MOST, _LEAST = 80, 8
#: Steps of the scale in seconds.
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)


def job_timeline(jobs: Collection[JobRecord], now: float) -> str:
    """The picture; empty where fewer than two jobs have begun.

    Neighbours that touch are one bar, so that its size does not grow with the number of jobs.

    :param now: seconds since 1970: the end of jobs that run.
    """
    begun = sorted((each for each in jobs if each.started and each.worker), key=lambda j: j.started)
    if len(begun) < 2:
        return ""
    start = begun[0].started
    stop = max(max(each.ended or now for each in begun), start + 0.1)
    workers = list(dict.fromkeys(each.worker for each in begun))
    shown = workers[:_WORKERS]
    high = len(shown) * _ROW + 24
    wide = _NAMES + _BARS + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" width="{wide}" '
        f'height="{high}" viewBox="0 0 {wide} {high}">',
        f"<title>{len(begun)} jobs of {len(workers)} workers within "
        f"{duration(stop - start)}</title>",
        *_scale(stop - start, high),
    ]
    by_worker: dict[str, list[JobRecord]] = {}
    for each in begun:
        by_worker.setdefault(each.worker, []).append(each)
    gap = _BARS / max(_LEAST, _MOST // len(shown)) if len(begun) > _MOST else 0.0
    for number, worker in enumerate(shown):
        lines += _row(worker, by_worker[worker], number * _ROW, start, stop, now, gap)
    if len(workers) > len(shown):
        lines.append(
            f'<text x="0" y="{high - 6}">and {len(workers) - len(shown)} more workers</text>'
        )
    return "\n".join([*lines, "</svg>"])


def _scale(seconds: float, high: int) -> list[str]:
    step = next((each for each in _STEPS if seconds / each <= 8), _STEPS[-1])
    lines = []
    for mark in range(0, int(seconds) + 1, step)[:60]:
        x = _NAMES + round(mark / seconds * _BARS, 1)
        lines.append(f'<path class="mark" d="M{x} 0 V{high - 18}"/>')
        label = duration(mark).replace(".0 s", " s")
        lines.append(f'<text class="scale" x="{x}" y="{high - 5}">{label}</text>')
    return lines


def _row(
    worker: str, jobs: list[JobRecord], y: int, start: float, stop: float, now: float, gap: float
) -> list[str]:
    name = visible(worker)
    short = name if len(name) <= 21 else f"{name[:8]}…{name[-12:]}"
    lines = [f'<text x="0" y="{y + 14}">{escape(short)}<title>{escape(name)}</title></text>']
    bars: list[tuple[float, float, State, list[JobRecord]]] = []
    for each in jobs:
        left = _NAMES + (each.started - start) / (stop - start) * _BARS
        right = _NAMES + ((each.ended or now) - start) / (stop - start) * _BARS
        right = max(right, left + 1)
        if bars and left - bars[-1][1] < gap and left - bars[-1][0] < 3 * gap:
            members = bars[-1][3]
            members.append(each)
            # A failure that is joined with others is still seen.
            state = min(bars[-1][2], each.state, key=STATES.index)
            bars[-1] = (bars[-1][0], max(right, bars[-1][1]), state, members)
        else:
            bars.append((left, right, each.state, [each]))
    for left, right, state, members in bars:
        # A gap between neighbours, where there is room for one.
        wide = max(0.8, right - left - (0.6 if right - left > 2 else 0))
        lines.append(
            f'<rect class="{state}" x="{left:.1f}" y="{y + 3}" width="{wide:.1f}" '
            f'height="{_ROW - 6}" rx="1"><title>{escape(_words(members, state, now))}</title></rect>'
        )
    return lines


def _words(jobs: list[JobRecord], state: State, now: float) -> str:
    took = (jobs[-1].ended or now) - jobs[0].started
    shape = SHAPES[state]
    if len(jobs) > 1:
        states: Counter[State] = Counter(each.state for each in jobs)
        return f"{len(jobs)} jobs, {counts_text(states)}, {duration(took)}"
    job = jobs[0].job
    label = f"{job.pipeline}: {job.datums[0][0]}" if job and job.datums else jobs[0].id[:10]
    more = f" and {len(job.datums) - 1} more" if job and len(job.datums) > 1 else ""
    return f"{shape} {visible(label)}{more}, {state}, {duration(took)}"
