"""Figures in, the generated part of ``docs/explanation/performance.md`` and its picture out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from benchmarks.figure import Book, Figure

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
PICTURE = PAGE.with_name("performance.svg")
#: What was measured last, so that a part can be measured again by itself.
KEPT = ROOT / "build" / "bench" / "figures.json"
BEGIN, END = "<!-- begin generated: make bench -->", "<!-- end generated -->"
OURS = "tea-runner"
_COLOURS = {OURS: "#2f6f4f", "tea-runner, sandbox off": "#6fb38f"}


def write(book: Book, machine: Mapping[str, str]) -> None:
    """Put these figures, beside those that were not measured now, into the page."""
    figures = _kept()
    for figure in book.figures:
        figures[figure.work, figure.who] = figure
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps([asdict(figure) for figure in figures.values()], indent=1))
    rows = list(figures.values())
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    generated = "\n\n".join([_machine(machine), _table(rows), _absent(book.absent)]).strip()
    PAGE.write_text(f"{before}{BEGIN}\n\n{generated}\n\n![]({PICTURE.name})\n\n{END}{after}")
    PICTURE.write_text(picture(rows))


def _kept() -> dict[tuple[str, str], Figure]:
    if not KEPT.exists():
        return {}
    figures = [Figure(**row) for row in json.loads(KEPT.read_text())]
    return {(figure.work, figure.who): figure for figure in figures}


def _machine(machine: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in machine.items())


def _absent(absent: Mapping[str, str]) -> str:
    return "\n".join(f"- {who} was left out: {why}." for who, why in absent.items())


def _table(figures: Sequence[Figure]) -> str:
    lines = [
        "| work | who | median | spread | runs | load | x ours | goal | met |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for work in dict.fromkeys(figure.work for figure in figures):
        group = [figure for figure in figures if figure.work == work]
        ours = next((figure.median for figure in group if figure.who == OURS), None)
        for figure in group:
            who = f"**{figure.who}**" if figure.who.startswith(OURS) else figure.who
            if figure.note:
                who += f" ({figure.note})"
            ratio = "" if not ours or figure.who == OURS else f"{figure.median / ours:.3g}"
            goal = (
                "" if figure.goal is None else f"{figure.sign} {_number(figure.goal, figure.unit)}"
            )
            met = {True: "yes", False: "no", None: ""}[figure.met]
            spread = f"{_bare(min(figure.values))} to {_bare(max(figure.values))}"
            lines.append(
                f"| {work} | {who} | {_number(figure.median, figure.unit)} | {spread} "
                f"| {len(figure.values)} | {figure.load} | {ratio} | {goal} | {met} |"
            )
    return "\n".join(lines)


def _bare(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _number(value: float, unit: str) -> str:
    return f"{_bare(value)} {unit}"


def picture(figures: Iterable[Figure]) -> str:
    """Bars on a logarithmic scale: the small datums, us and the peers."""
    rows = [figure for figure in figures if "small datums" in figure.work]
    works = list(dict.fromkeys(figure.work for figure in rows))
    lines: list[str] = []
    y = 20
    for work in works:
        group = sorted((f for f in rows if f.work == work), key=lambda figure: figure.median)
        low = min(figure.median for figure in group) / 3
        high = max(figure.median for figure in group)
        lines.append(f'<text x="10" y="{y}" font-weight="bold">{escape(work)}</text>')
        y += 8
        for figure in group:
            length = 420 * math.log(figure.median / low) / math.log(high / low)
            colour = _COLOURS.get(figure.who, "#9aa5b1")
            lines += [
                f'<text x="200" y="{y + 13}" text-anchor="end">{escape(figure.who)}</text>',
                f'<rect x="208" y="{y + 2}" width="{length:.0f}" height="14" fill="{colour}"/>',
                f'<text x="{214 + length:.0f}" y="{y + 13}">'
                f"{escape(_number(figure.median, figure.unit))}</text>",
            ]
            y += 19
        y += 26
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-size="12" '
        f'font-family="sans-serif" role="img" aria-label="Time per datum, ours and the peers">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )
