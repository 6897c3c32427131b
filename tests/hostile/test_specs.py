"""Hostile pipeline files and the literal answers, from specs/specs.json."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.spec.parse import parse_specs
from tests.hostile.forge import HostileForge
from tests.hostile.unchanged import TOLD, files_of, redis_of, results_prefix

_LEFT_OUT = "no pipeline file, left out: it has neither pipeline nor transform"
_ROWS = json.loads((Path(__file__).parent / "specs" / "specs.json").read_text("ascii"))
_IDS = [f"{row['row']} {row['name']}" for row in _ROWS]


def _data(row: dict[str, Any]) -> bytes:
    return str(row["text"]).encode("utf-8", "surrogateescape") * int(row.get("times", 1))


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileForge]:
    """One server for all rows."""
    made = HostileForge(tmp_path_factory.mktemp("specs"), settings='[images]\ntags = "refuse"\n')
    yield made
    made.close()


@pytest.mark.parametrize(
    "row", [row for row in _ROWS if not row.get("plan")], ids=lambda r: r["name"]
)
def test_pipeline_files_get_the_answer_that_the_table_states(row: dict[str, Any]) -> None:
    """Each is refused with the stated sentence and its place, or means what the table says; soon."""
    began = time.process_time()
    parsed = parse_specs("up/spec.yml", _data(row), "0" * 40)
    assert time.process_time() - began < 2
    said = [str(problem) for problem in parsed.problems]
    assert [] == [s for s in row["says"] if not any(s in each for each in said)], said
    assert bool(row["says"]) == bool(parsed.errors), said
    if "warn" in row:
        assert any(row["warn"] in each for each in said), said
    for name, value in row.get("ok", {}).items():
        (pipeline,) = parsed.pipelines
        where = pipeline.transform if name == "cmd" else pipeline
        found = getattr(where, name)
        assert value == (list(found) if isinstance(found, tuple) else found)


@pytest.mark.parametrize("row", [row for row in _ROWS if row["says"]], ids=lambda r: r["name"])
def test_a_push_with_such_a_file_is_answered_in_the_same_words(
    row: dict[str, Any], forge: HostileForge, caplog: pytest.LogCaptureFixture
) -> None:
    """The plan says the sentence, a status is set, no job is made, and no ref moves."""
    caplog.set_level(logging.INFO)
    name = f"s{_ROWS.index(row)}"
    forge.make(
        name, {"files": {"up/spec.yml": {"file": row["text"], "times": row.get("times", 1)}}}
    )
    before, asked = results_prefix(forge), redis_of(forge, *TOLD)

    advance = forge.planner.plan(f"lab/{name}", "main")

    assert advance is not None
    # A file without the fields of a pipeline is left out with a warning.
    warnings = [str(each) for each in advance.planned.tip.pipelines.problems]
    details = [each.detail for each in advance.pipelines.values()]
    said = "\n".join([*advance.problems, *warnings, *details])
    large = len(_data(row)) >= 32_768
    wanted = ["must be a plain file in git"] if large else row["says"]
    if any(_LEFT_OUT in each for each in warnings):
        wanted = [_LEFT_OUT]
        assert "transform:" not in str(row["text"])
    assert [] == [each for each in wanted if each not in said], said
    assert " error: " in caplog.text or not (advance.problems or any(details))
    assert "Traceback" not in caplog.text
    waiting = forge.site.jobs.waiting()
    assert row.get("jobs", 0) == len(waiting)
    assert row.get("jobs", 0) or asked == redis_of(forge, *TOLD)
    for job in waiting:
        forge.site.jobs.cancel(job)
    assert before == results_prefix(forge)
    scratch = forge.root / "scratch"
    assert {} == {path: about for path, about in files_of(scratch).items() if "lock" not in path}


def test_every_row_has_a_name_of_its_own() -> None:
    """Two rows of one name would hide each other's failures."""
    assert len(set(_IDS)) == len(_IDS)
