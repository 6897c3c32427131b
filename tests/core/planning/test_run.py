"""Runs as JSON text, and what a later plan of the same push keeps of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.planning.run import (
    PipelineRun,
    Run,
    format_run,
    parse_run,
    run_id,
    updated_run,
)
from tea_runner.core.planning.run_datum_states import DatumRow

RAN = DatumRow("in:a", "ka", "run", "new")
KNOWN = DatumRow("in:b", "kb", "reuse", "known", "c0ffee", "manifest")
EDGES = PipelineRun(
    name="edges",
    state="running",
    counts={"waiting": 1, "reused": 1},
    jobs=["j1"],
    datums=[RAN, KNOWN],
)
RUN = Run(
    id=run_id("lab/edges", "main", "c"),
    repository="lab/edges",
    branch="main",
    commit="c",
    pipelines=[EDGES],
)

texts = st.text()
rows = st.builds(
    DatumRow,
    texts,
    texts,
    st.sampled_from(["run", "reuse", "current", "failed", "done"]),
    texts,
    texts,
    st.sampled_from([None, "job", "manifest", "other repository"]),
)


@given(st.lists(rows, max_size=3), texts, st.floats(0, 1e10))
def test_a_run_survives_its_text(datums: list[DatumRow], title: str, started: float) -> None:
    """What format_run writes, parse_run reads as an equal value."""
    run = replace(RUN, title=title, started=started, pipelines=[replace(EDGES, datums=datums)])

    assert run == parse_run(format_run(run))


def test_rows_of_the_former_version_are_read() -> None:
    """Five texts, of which the last tells whether a job holds the result; other lengths are left out."""
    document = json.loads(format_run(RUN))
    document["pipelines"][0]["datums"] = [
        ["in:a", "ka", "reuse", "known", "refs/tea/jobs/1"],
        ["in:b", "kb", "reuse", "known", "c0ffee"],
        ["in:c", "kc", "failed", "failed", "refs/tea/ is no ref"],
        ["in:d"],
    ]
    found = parse_run(json.dumps(document)).pipelines[0].datums

    assert ["job", None, None] == [row.source for row in found]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"pipelines": 3}', '{"pipelines": [{"novel": 1}]}', '{"pipelines": []}'],
)
def test_what_is_no_run_is_a_value_error(text: str) -> None:
    """Text of another version or of no program at all has one kind of error."""
    with pytest.raises(ValueError, match=r"."):
        parse_run(text)


def test_a_datum_that_ran_keeps_its_reason() -> None:
    """A later plan knows its result; the run still says why it ran, and that a job computed it."""
    first = updated_run(RUN, None, 1.0)
    reused = RAN._replace(action="reuse", reason="known", detail="refs/tea/jobs/j1", source="job")
    settled = replace(
        EDGES, state="settled", counts={"done": 1, "reused": 1}, commit="r", datums=[reused, KNOWN]
    )
    second = updated_run(replace(RUN, pipelines=[settled]), first, 2.0)

    assert [DatumRow("in:a", "ka", "done", "new", "", "job"), KNOWN] == second.pipelines[0].datums
    assert (1.0, 2.0, 2.0) == (second.started, second.updated, second.ended)


def test_a_settled_pipeline_keeps_what_the_run_did() -> None:
    """A plan after the results commit finds everything current: counts and datums stay."""
    settled = replace(EDGES, state="settled", counts={"done": 1, "reused": 1}, commit="r")
    first = updated_run(replace(RUN, pipelines=[settled]), None, 1.0)
    idle = replace(settled, counts={"current": 2}, commit="", jobs=[], datums=[])
    second = updated_run(replace(RUN, pipelines=[idle]), first, 5.0)

    assert first.pipelines == second.pipelines
    assert first.ended == second.ended == 1.0
