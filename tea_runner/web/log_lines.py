"""A part of a job's log as HTML: numbered lines with the times at which they were written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tea_runner.present.ansi_to_html import TerminalText
from tea_runner.present.human_units import instant

#: Bytes and lines of a part, and bytes that are read to count lines.
PART, LINES, _MOST = 1 << 16, 500, 1 << 22
#: Characters of one line that are shown.
_LONGEST = 4000


class PlaceInLog(Protocol):
    """A place in a log; see :class:`tea_runner.broker.job_logs.LogMark`."""

    @property
    def offset(self) -> int:
        """Bytes before it."""
        ...

    @property
    def line(self) -> int:
        """Number of its line."""
        ...

    @property
    def time(self) -> float:
        """Seconds since 1970."""
        ...


class LogSource(Protocol):
    """A log that is read in parts; see :class:`tea_runner.broker.job_logs.LogReader`."""

    def size(self) -> int:
        """Bytes that can be read now."""
        ...

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from *start* up to *stop*, a piece at a time."""
        ...

    def marks(self) -> Sequence[PlaceInLog]:
        """Places with their lines and times."""
        ...

    def original(self, offset: int) -> int:
        """Bytes before an offset of what is shown, with those that were dropped."""
        ...

    def shown(self, original: int) -> int:
        """The reverse."""
        ...


@dataclass(frozen=True, kw_only=True)
class LogPart:
    """Rendered lines, and where the next part begins."""

    html: str
    #: Offset behind the last whole line, its line number, and the colours there.
    offset: int
    line: int
    state: str = ""

    @property
    def place(self) -> str:
        """Where it ends, as text for :func:`read_place`."""
        return f"{self.offset}-{self.line}-{self.state}"


def read_place(text: str) -> tuple[int, int, str]:
    """Offset, line and colours of a place; the beginning for anything else."""
    offset, _, rest = text[:60].partition("-")
    line, _, state = rest.partition("-")
    if not (offset.isascii() and offset.isdigit() and line.isascii() and line.isdigit()):
        return 0, 1, ""
    return int(offset), int(line), state


def last_part(log: LogSource, *, ended: bool) -> LogPart:
    """The end of a log.

    :param ended: whether a last line without its end is shown, too.
    """
    size = log.size()
    return _part(log, max(0, size - PART), size, whole=ended)


def part_with_line(log: LogSource, number: int, *, ended: bool) -> LogPart:
    """The part of a log with a line in it, and some lines before it."""
    size = log.size()
    before = [mark for mark in log.marks() if mark.line <= max(1, number - 20)]
    start = min(log.shown(before[-1].offset) if before else 0, size)
    if before and number - before[-1].line > 200:
        # Much was written in that second: a part of it comes before the line.
        data = b"".join(log.read(start, min(size, start + _MOST)))
        for _ in range(number - 20 - before[-1].line):
            end = data.find(b"\n")
            if end < 0:
                break
            start, data = start + end + 1, data[end + 1 :]
    return _part(
        log, start, min(size, start + PART), whole=ended and start + PART >= size, first=True
    )


def next_part(log: LogSource, place: str, *, ended: bool) -> LogPart:
    """What was written since a place."""
    offset, line, state = read_place(place)
    stop = min(log.size(), offset + PART)
    data = b"".join(log.read(offset, stop))
    whole = ended and stop == log.size()
    # A line that is longer than a part is sent in pieces.
    whole |= b"\n" not in data and len(data) == PART
    if data.count(b"\n") > 4 * LINES:
        # The rest comes next.
        data = b"\n".join(data.split(b"\n", 4 * LINES)[: 4 * LINES]) + b"\n"
        whole = False
    return render(
        data,
        log.marks(),
        offset=offset,
        original=log.original(offset),
        line=line,
        state=state,
        whole=whole,
    )


def _part(log: LogSource, start: int, stop: int, *, whole: bool, first: bool = False) -> LogPart:
    """Lines between two offsets, the last or the first of them; one that began before is left out."""
    marks = log.marks()
    data = b"".join(log.read(start, stop))
    if start and b"".join(log.read(start - 1, start)) != b"\n":
        begin = data.find(b"\n") + 1
        start, data = start + begin, data[begin:]
    many = data.count(b"\n") - LINES
    if many > 0 and first:
        data = b"\n".join(data.split(b"\n", LINES)[:LINES]) + b"\n"
        whole = False
    elif many > 0:
        begin = len(b"\n".join(data.split(b"\n", many)[:many])) + 1
        start, data = start + begin, data[begin:]
    return render(
        data,
        marks,
        offset=start,
        original=log.original(start),
        line=_line_number(log, marks, start),
        whole=whole,
    )


def _line_number(log: LogSource, marks: Sequence[PlaceInLog], start: int) -> int:
    """Number of the line at an offset, from the nearest mark in what was kept."""
    kept = [(log.shown(mark.offset), mark) for mark in _near(marks, log.original(start))]
    kept = [(at, mark) for at, mark in kept if log.original(at) == mark.offset]
    before = [(at, mark) for at, mark in kept if at <= start]
    if before:
        at, mark = before[-1]
        return mark.line + b"".join(log.read(max(at, start - _MOST), start)).count(b"\n")
    if kept:
        at, mark = kept[0]
        return max(1, mark.line - b"".join(log.read(start, min(at, start + _MOST))).count(b"\n"))
    return 1 + b"".join(log.read(max(0, start - _MOST), start)).count(b"\n")


def _near(marks: Sequence[PlaceInLog], original: int) -> Sequence[PlaceInLog]:
    """The mark before an offset, and the one behind it."""
    index = bisect_right([mark.offset for mark in marks], original)
    return marks[max(0, index - 1) : index + 1]


def render(
    data: bytes,
    marks: Sequence[PlaceInLog],
    *,
    offset: int,
    original: int,
    line: int,
    state: str = "",
    whole: bool = False,
) -> LogPart:
    """The lines in a part of a log.

    :param offset: of the data in what is shown, and *original* with what was dropped.
    :param line: number of its first line.
    :param whole: whether the last line is shown without its end, too.
    """
    terminal = TerminalText(state)
    offsets = [mark.offset for mark in marks]
    if not whole:
        data = data[: data.rfind(b"\n") + 1]
    rows = data.split(b"\n")
    if rows and not rows[-1]:
        rows.pop()
    written, at, last = [], original, ""
    for number, row in enumerate(rows, line):
        index = bisect_right(offsets, at) - 1
        when = instant(marks[index].time) if index >= 0 else ""
        text = row.decode("utf-8", "replace")
        more = "" if len(text) <= _LONGEST else " …"
        stamp = f'<time datetime="{when}">{when[11:19]}</time>' if when != last else "<time></time>"
        last = when
        written.append(
            f'<span id="L{number}"><a href="#L{number}" tabindex="-1">'
            f"{number}</a>{stamp if when else ''}<span>"
            f"{terminal.html(text[:_LONGEST])}{more}\n</span></span>"
        )
        at += len(row) + 1
    return LogPart(
        html="".join(written),
        offset=offset + len(data),
        line=line + len(rows),
        state=terminal.state,
    )
