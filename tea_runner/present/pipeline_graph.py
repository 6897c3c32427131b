"""The graph of pipelines as text, Mermaid, DOT or SVG.

Names come from pipeline files and may contain any character: each format quotes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tea_runner.core.planning.states import State
from tea_runner.present.picture_style import STYLE
from tea_runner.present.state_words import SHAPES
from tea_runner.present.visible_text import visible


@dataclass(frozen=True, kw_only=True)
class Box:
    """One pipeline of the graph."""

    name: str
    state: State | None = None
    #: A second line, such as ``12 done + 116 reused / 128``.
    note: str = ""
    #: What a picture shows in place of the name, which tells boxes apart.
    shown: str = ""
    #: Link target in formats that support links.
    link: str = ""


Upstream = Mapping[str, Sequence[str]]

_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE = 196, 44, 44, 14, 4
#: Gap between rows of a graph that goes downwards, and columns that a page has room for.
_GAP_DOWN, _MOST_COLUMNS = 26, 5
#: Number of characters of a name that fit into a box; notes have a smaller font.
_SHOWN = 20


def layers(names: Iterable[str], upstream: Upstream) -> list[list[str]]:
    """The names in columns, each after its inputs; cycles are cut."""
    known = list(dict.fromkeys(names))
    column_of: dict[str, int] = {}
    for _ in known:
        moved = False
        for name in known:
            above = [column_of.get(each, 0) for each in upstream.get(name, ()) if each in known]
            here = min(max((each + 1 for each in above), default=0), len(known) - 1)
            if column_of.get(name, -1) < here:
                column_of[name] = here
                moved = True
        if not moved:
            break
    columns = sorted(set(column_of.values()))
    return [[name for name in known if column_of[name] == column] for column in columns]


def _edges(boxes: Sequence[Box], upstream: Upstream) -> list[tuple[str, str]]:
    names = {box.name for box in boxes}
    return [
        (other, box.name)
        for box in boxes
        for other in dict.fromkeys(upstream.get(box.name, ()))
        if other in names
    ]


def dag_text(boxes: Sequence[Box], upstream: Upstream) -> list[str]:
    """One line per pipeline, after its inputs: ``✓ montage ← edges, prep   1 done / 1``."""
    by_name = {box.name: box for box in boxes}
    rows = []
    for column in layers(by_name, upstream):
        for name in column:
            box = by_name[name]
            above = [visible(each) for each in dict.fromkeys(upstream.get(name, ()))]
            left = f"{SHAPES[box.state]} " if box.state else ""
            left += visible(name) + (f" ← {', '.join(above)}" if above else "")
            rows.append((left, visible(box.note)))
    width = max((len(left) for left, _ in rows), default=0)
    return [f"{left:{width}}  {note}".rstrip() for left, note in rows]


def dag_mermaid(boxes: Sequence[Box], upstream: Upstream) -> str:
    """The graph in Mermaid's language."""
    ids = {box.name: f"p{number}" for number, box in enumerate(boxes)}
    lines = ["flowchart LR"]
    for box in boxes:
        shape = f"{SHAPES[box.state]} " if box.state else ""
        label = _mermaid(shape + box.name) + (f"<br>{_mermaid(box.note)}" if box.note else "")
        lines.append(f'  {ids[box.name]}["{label}"]' + (f":::{box.state}" if box.state else ""))
    lines += [f"  {ids[a]} --> {ids[b]}" for a, b in _edges(boxes, upstream)]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Escape for Mermaid, which has no backslash: special characters become numeric entities."""
    return "".join(
        each if each.isalnum() or each in " _-.,:/+✗⊘■▶○✓↻" else f"#{ord(each)};"
        for each in visible(text)
    )


def dag_dot(boxes: Sequence[Box], upstream: Upstream) -> str:
    """For Graphviz."""
    lines = ["digraph pipelines {", "  rankdir=LR;", "  node [shape=box];"]
    for box in boxes:
        shape = f"{SHAPES[box.state]} " if box.state else ""
        label = shape + visible(box.name) + (f"\n{visible(box.note)}" if box.note else "")
        lines.append(f"  {_dot(box.name)} [label={_dot(label)}];")
    lines += [f"  {_dot(a)} -> {_dot(b)};" for a, b in _edges(boxes, upstream)]
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{visible(quoted)}"'


def dag_svg(
    boxes: Sequence[Box],
    upstream: Upstream,
    *,
    styled: bool = False,
    label: str = "Graph of pipelines",
) -> str:
    """As SVG, from left to right while that fits a page, otherwise downwards; all text escaped.

    :param label: what it is, for readers of screens.
    :param styled: whether it has a style of its own; a page's sheet has the classes.
    """
    columns = layers([box.name for box in boxes], upstream)
    by_name = {box.name: box for box in boxes}
    tallest = max((len(column) for column in columns), default=0)
    down = len(columns) > _MOST_COLUMNS and tallest < len(columns)
    # Size of one place, with the gap behind it: along the way of the data, and across.
    along, across = (
        (_HIGH + _GAP_DOWN, _WIDE + _GAP_Y) if down else (_WIDE + _GAP_X, _HIGH + _GAP_Y)
    )
    at: dict[str, tuple[int, int]] = {}
    for number, column in enumerate(columns):
        shift = (tallest - len(column)) * across // 2
        for row, name in enumerate(column):
            place = (_EDGE + number * along, _EDGE + shift + row * across)
            at[name] = (place[1], place[0]) if down else place
    wide = max((x for x, _ in at.values()), default=-_WIDE) + _WIDE + _EDGE
    high = max((y for _, y in at.values()), default=-_HIGH) + _HIGH + _EDGE
    # Links inside of an image would be out of reach for readers of screens.
    role = "group" if any(box.link for box in boxes) else "img"
    words = escape("; ".join(dag_text(boxes, upstream)))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dag" role="{role}" width="{wide}" '
        f'height="{high}" viewBox="0 0 {wide} {high}" aria-label={quoteattr(label)}>',
        f"<title>{words}</title>",
    ]
    if styled:
        lines.append(f"<style>{STYLE}</style>")
    arrow = _arrow_down if down else _arrow
    lines += [arrow(at[a], at[b]) for a, b in _edges(boxes, upstream)]
    lines += [_rectangle(by_name[name], *at[name]) for name in at]
    return "\n".join([*lines, "</svg>"])


def _arrow_down(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDE // 2, start[1] + _HIGH
    x2, y2 = end[0] + _WIDE // 2, end[1]
    bend = max(14, (y2 - y1) // 2)
    return (
        f'<path class="arrow" d="M{x1} {y1} C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2 - 6}"/>'
        f'<path class="tip" d="M{x2} {y2} l-4 -7 h8 z"/>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDE, start[1] + _HIGH // 2
    x2, y2 = end[0], end[1] + _HIGH // 2
    bend = max(20, (x2 - x1) // 2)
    return (
        f'<path class="arrow" d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 6} {y2}"/>'
        f'<path class="tip" d="M{x2} {y2} l-7 -4 v8 z"/>'
    )


def _rectangle(box: Box, x: int, y: int) -> str:
    state = box.state or "plain"
    shape = f"{SHAPES[box.state]} " if box.state else ""
    middle = y + (18 if box.note else 27)
    parts = [
        f'<g class="box {state}">',
        f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="4"/>',
        f'<rect class="edge" x="{x}" y="{y}" width="4" height="{_HIGH}"/>',
        f'<text x="{x + 14}" y="{middle}">{escape(shape + _short(box.shown or box.name, _SHOWN))}</text>',
    ]
    if box.note:
        note = escape(_short(box.note, _SHOWN + 8))
        parts.append(f'<text class="note" x="{x + 14}" y="{y + 35}">{note}</text>')
    drawn = "".join([*parts, "</g>"])
    return f"<a href={quoteattr(visible(box.link))}>{drawn}</a>" if box.link else drawn


def _short(text: str, most: int) -> str:
    text = visible(text)
    return text if len(text) <= most else text[: most - 1] + "…"
