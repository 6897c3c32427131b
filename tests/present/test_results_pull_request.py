"""The pull request with results: a table, pictures, a digest, and no markup of strangers."""

from __future__ import annotations

import pytest

from tea_runner.core.results.results_pull_request_digest import (
    ProposedDatum,
    ProposedOutput,
    proposal_digest,
)
from tea_runner.present.results_pull_request import (
    proposal_text,
    proposal_title,
    proposed_digest,
)

PLOT = ProposedOutput(path="fit/a b(1).png", size=2048, in_git=True)
SCAN = ProposedOutput(path="fit/a.png", size=3 << 30, in_git=False)
FIRST = ProposedDatum(pipeline="fit", datum="in:a", change="new", key="k1", outputs=[PLOT, SCAN])
GONE = ProposedDatum(pipeline="fit", datum="in:b", change="removed", key="k2")
COMMIT = "4bb71d674bc20617b13042dfcd1f64d75949cb69"


def _text(*datums: ProposedDatum) -> str:
    def link(path: str, raw: bool) -> str:
        return f"https://f/{'raw' if raw else 'src'}/{len(path)}"

    return proposal_text(COMMIT, datums, link, run="https://r/runs/1", branch="main")


def test_each_datum_has_a_row_with_links_to_its_files() -> None:
    """Pictures are shown where git holds them."""
    text = _text(FIRST, GONE)

    assert "Results of 4bb71d674bc2: 1 new, 1 removed" == proposal_title(COMMIT, [FIRST, GONE])
    assert "https://f/src/14) 2.0 KiB, [" in text
    assert "| removed |  |" in text
    assert 1 == text.count("\n![](https://f/raw/14)")


def test_the_digest_is_that_of_the_results() -> None:
    """Whatever commit they are upon, and in whatever order they come."""
    assert proposal_digest([FIRST, GONE]) == proposal_digest([GONE, FIRST])
    assert proposal_digest([FIRST, GONE]) == proposed_digest(_text(FIRST, GONE))
    assert proposal_digest([FIRST]) != proposal_digest([GONE])
    assert "" == proposed_digest("x <!-- tea-runner: results 0123456789abcdef -->")


@pytest.mark.parametrize("name", ["@all", "```\n#1", "| a", "</code>![](x)", "--> [x](y)"])
def test_no_name_becomes_markup(name: str) -> None:
    """Of pipelines, datums and files."""
    output = ProposedOutput(path=name + ".png", size=1, in_git=True)
    datum = ProposedDatum(
        pipeline=name, datum=f"in:{name}", change="new", key="k", outputs=[output]
    )
    text = _text(datum)

    assert name not in text.replace("![](https://f/raw", "")
    (row,) = [line for line in text.splitlines() if line.startswith("| <code>")]
    assert 5 == row.count("|")


def test_many_datums_are_counted() -> None:
    """A comment has a limit."""
    datums = [
        ProposedDatum(
            pipeline="p" * 90, datum="d" * 900, change="new", key=str(n), outputs=[PLOT] * 9
        )
        for n in range(1000)
    ]
    text = _text(*datums)
    assert "| and 950 more |" in text
    assert "6 more" in text
    assert len(text) < 60_000
