"""Table of the documentation, from records of the tests: ``python -m tests.faults.report``.

Each test adds a line to the file that ``TEA_FAULTS_REPORT`` names; without it nothing is kept.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.person import Seen

DOCUMENT = Path(__file__).parents[2] / "docs/explanation/failure-and-recovery.md"
_BEGIN, _END = "<!-- table: make faults -->\n", "<!-- end of table -->\n"
_HEAD = (
    "| Fault | Faults | Pushes | Pushes lost | Duplicate commits | Other bytes "
    "| Push to results: median, longest | Last fault to all results |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|\n"
)


def record(
    kind: str, *, faults: int, seen: Sequence[Seen], seconds: float, recovered: float | None = None
) -> None:
    """Keep what one test saw.

    :param recovered: seconds from the last fault until everything stood as it should.
    """
    name = os.environ.get("TEA_FAULTS_REPORT")
    if not name:
        return
    wrong = [text for one in seen for text in one.wrong]
    row = {
        "kind": kind,
        "faults": faults,
        "pushes": sum(one.pushes for one in seen),
        "lost": sum("only, not to" in text for text in wrong),
        "twice": sum("was put upon" in text for text in wrong),
        "other": sum("only, not to" not in text and "was put upon" not in text for text in wrong),
        "waited": [round(time, 2) for one in seen for time in one.waited],
        "seconds": seconds,
        "recovered": recovered,
    }
    with Path(name).open("a") as file:
        file.write(json.dumps(row) + "\n")


def table(lines: Sequence[str]) -> str:
    """The table, of the latest line of each kind."""
    rows = {row["kind"]: row for row in map(json.loads, lines)}
    text = _HEAD
    for row in rows.values():
        waited = row["waited"] or [0.0]
        recovered = "never the last" if row["recovered"] is None else f"{row['recovered']:.1f} s"
        text += (
            f"| {row['kind']} | {row['faults']} | {row['pushes']} | {row['lost']} | {row['twice']} "
            f"| {row['other']} | {statistics.median(waited):.1f} s, {max(waited):.1f} s "
            f"| {recovered} |\n"
        )
    return text


def main(report: Path) -> None:
    """Put the table into the documentation."""
    before, _, rest = DOCUMENT.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    DOCUMENT.write_text(
        before + _BEGIN + "\n" + table(report.read_text().splitlines()) + "\n" + _END + after
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
