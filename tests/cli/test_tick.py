"""``tea-runner tick``: schedules on a machine without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.dataset import Dataset

_COMMAND = 'cat "$tick" >"$PFS/out/ticked"; ls "$PFS/tick" >>"$PFS/out/ticked"'


def spec(*, start: datetime, overwrite: bool = True, command: str = _COMMAND) -> str:
    """A pipeline that ticks each hour."""
    return json.dumps(
        {
            "pipeline": {"name": "daily"},
            "input": {
                "cron": {
                    "name": "tick",
                    "spec": "@every 1h",
                    "start": named(start),
                    "overwrite": overwrite,
                }
            },
            "transform": {"cmd": ["sh", "-c", command]},
        }
    )


def named(moment: datetime) -> str:
    """The name of a tick."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_is_due_runs_once(dataset: Dataset) -> None:
    """The command sees the tick as a file; a second call has nothing to do, and says when there is."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    dataset.save({"daily/spec.yml": spec(start=start)})
    due, later = named(start + timedelta(hours=1)), named(start + timedelta(hours=2))
    assert f"next tick: daily tick {due}" in dataset.tea("plan", "daily").lines
    done = dataset.tea("tick", "daily")
    assert (0, f"next tick: daily tick {later}") == (done.code, done.lines[-1])
    assert f"{due}\n{due}\n" == (dataset.path / "daily/ticked").read_text()
    head = dataset.do("git", "rev-parse", "HEAD")
    again = dataset.tea("tick", "daily")
    assert ["Nothing to do.", f"next tick: daily tick {later}"] == again.lines[-2:]
    assert head == dataset.do("git", "rev-parse", "HEAD")
    plan = json.loads(dataset.tea("plan", "daily", "--json").out)
    assert {"daily tick": later} == plan["next_ticks"]


def test_a_tick_that_failed_is_run_again_by_run(dataset: Dataset) -> None:
    """It was recorded before its command began; run needs no clock for it."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    dataset.save({"daily/spec.yml": spec(start=start, command="test -e /nowhere")})
    assert 1 == dataset.tea("tick", "daily").code
    due = named(start + timedelta(hours=1))
    plan = dataset.tea("plan", "daily").out
    assert f"run(tick): daily tick:{due}  its schedule has ticked" in plan
    assert 1 == dataset.tea("run", "-y", "daily").code


@pytest.mark.long
def test_the_results_can_be_verified_and_repeated(dataset: Dataset) -> None:
    """The manifest names the tick, so that its key can be made again from the commit alone."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    dataset.save({"daily/spec.yml": spec(start=start)})
    dataset.tea("tick", "daily")
    for ref in dataset.do("git", "for-each-ref", "--format=%(refname)", "refs/tea/").split():
        dataset.do("git", "update-ref", "-d", ref)
    verified = dataset.tea("verify-commit", "--unsigned", "HEAD")
    assert 0 == verified.code, verified
    again = dataset.tea("reproduce", "daily")
    assert 0 == again.code, again
    record = dataset.do("git", "log", "-1", "--format=%B")
    assert "tea-runner exec" in record
    assert "run(" not in dataset.tea("plan", "daily").out


def test_nothing_ticks_in_a_dataset_without_schedules(settled: Dataset) -> None:
    """It is what run does."""
    assert ["Nothing to do."] == settled.tea("tick").lines[-1:]


def test_a_tick_by_hand_runs_now(dataset: Dataset) -> None:
    """The present is its tick; a pipeline without a schedule has none."""
    start = datetime.now(UTC) + timedelta(hours=8)
    dataset.save({"daily/spec.yml": spec(start=start)})
    assert "Nothing to do." in dataset.tea("tick", "daily").lines
    done = dataset.tea("trigger", "daily")
    assert 0 == done.code, done
    assert (dataset.path / "daily/ticked").read_text() <= named(datetime.now(UTC)) + "\n\uffff"
    refused = dataset.tea("trigger", "shout")
    assert (1, True) == (
        refused.code,
        "pipeline shout has no schedule, no trigger and no variables" in refused.err,
    )


_YEARLY = {
    "pipeline": {"name": "yearly"},
    "input": {"cron": {"name": "tick", "spec": "@never", "overwrite": True}},
    "transform": {"cmd": ["sh", "-c", 'echo "$year" >"$PFS/out/year"']},
    "vars": [{"name": "year", "type": "integer", "default": 2025}],
}


def test_a_pipeline_is_started_by_hand_with_a_value(dataset: Dataset) -> None:
    """It runs by hand only; what is not declared, or of another type, is refused in a sentence."""
    dataset.save({"yearly/spec.yml": json.dumps(_YEARLY)})
    assert ["Nothing to do."] == dataset.tea("tick", "yearly").lines[-1:]
    for value, sentence in (
        ("month=5", "pipeline yearly has no variable month; it has year"),
        ("year=soon", "variable year of pipeline yearly: expected a whole number, got 'soon'"),
        ("year", "'year' sets no variable; write NAME=VALUE"),
    ):
        refused = dataset.tea("trigger", "yearly", "--var", value)
        assert (1, True) == (refused.code, sentence in refused.err), refused
    done = dataset.tea("trigger", "yearly", "--var", "year=2026")
    assert 0 == done.code, done
    assert "2026\n" == (dataset.path / "yearly/year").read_text()
    assert "variables: yearly year=2026" in dataset.tea("plan", "yearly").lines
    plan = json.loads(dataset.tea("plan", "yearly", "--json").out)
    assert ({"yearly": {"year": "2026"}}, {}) == (plan["variables"], plan["next_ticks"])
    record = dataset.do("git", "log", "-1", "--format=%B")
    assert "tea-runner exec" in record
    assert "--var year=2026" in record


@pytest.mark.long
def test_results_with_a_value_can_be_verified_and_repeated(dataset: Dataset) -> None:
    """From the commit alone, also after everything else is lost."""
    dataset.save({"yearly/spec.yml": json.dumps(_YEARLY)})
    dataset.tea("trigger", "yearly", "--var", "year=2026")
    for ref in dataset.do("git", "for-each-ref", "--format=%(refname)", "refs/tea/").split():
        dataset.do("git", "update-ref", "-d", ref)
    verified = dataset.tea("verify-commit", "--unsigned", "HEAD")
    assert 0 == verified.code, verified
    again = dataset.tea("reproduce", "yearly")
    assert 0 == again.code, again
    assert "run(" not in dataset.tea("plan", "yearly").out
