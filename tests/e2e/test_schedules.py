"""Schedules on a server: ticks by the planner's clock, with real workers, and Redis lost between them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tea_runner.flow.trigger_by_hand import trigger
from tea_runner.wiring import Site
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES
from workers.reconciler import Reconciler

Counted = tuple[str, Callable[[], int]]


def spec(command: str, text: str = "@every 2s") -> str:
    """A pipeline that ticks while a test runs."""
    return json.dumps(
        {
            "pipeline": {"name": "tock"},
            "input": {"cron": {"name": "tick", "spec": text, "overwrite": True}},
            "transform": {"cmd": ["sh", "-c", command]},
        }
    )


def due(site: Site) -> None:
    """Wait until a tick is due, and let the reconciler say so."""
    deadline = time.monotonic() + 60
    while not site.schedule_times.due(time.time()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    lines = Reconciler(site).round()
    assert "planned lab/data main: its schedule has ticked" in lines


@pytest.mark.long
def test_a_tick_runs_on_a_server_and_outlives_redis(lab: Lab, counted: Counted) -> None:
    """The page says why; with Redis and all mirrors lost, the schedule goes on."""
    echo, count = counted
    lab.create(files={**ATTRIBUTES, "tock/spec.yml": spec(f'{echo}; cp "$tick" "$PFS/out/now"')})
    lab.push()
    run = lab.settle()
    assert (0, True) == (count(), run is not None)
    due(lab.site())
    lab.work_off()
    # On a machine that has much else to do, the next ticks are due before the queue is empty.
    assert count() >= 1
    lab.pull()
    first = lab.git("show", "HEAD:tock/now")
    lab.forget()
    lab.settle()
    due(lab.site())
    lab.work_off()
    lab.pull()
    assert count() >= 1
    assert lab.git("show", "HEAD:tock/now") > first


@pytest.mark.long
def test_a_trigger_holds_back_the_start_until_the_input_is_quiet(
    lab: Lab, counted: Counted
) -> None:
    """The run of the push ends without the pipeline; the clock starts it, also after a loss of Redis."""
    echo, count = counted
    source = {"pfs": {"repo": "raw", "glob": "/", "trigger": {"debounce": "3s"}}}
    pipeline = {
        "pipeline": {"name": "tock"},
        "input": source,
        "transform": {"cmd": ["sh", "-c", f'{echo}; cat "$raw"/* >"$PFS/out/all"']},
    }
    lab.create(files={**ATTRIBUTES, "raw/a": "a\n", "tock/spec.yml": json.dumps(pipeline)})
    lab.push()
    run = lab.settle()
    assert run is not None
    assert (0, "settled", "trigger") == (count(), run.state, run.pipelines[0].reason)
    assert run.pipelines[0].detail.startswith("waits until ")
    lab.forget()
    lab.settle()
    due(lab.site())
    lab.work_off()
    lab.pull()
    assert (1, "a") == (count(), lab.git("show", "HEAD:tock/all").strip())


@pytest.mark.long
def test_a_value_by_hand_reaches_the_command(lab: Lab, counted: Counted) -> None:
    """Through the planner and a worker; the run says who started it, and Redis may be lost before."""
    echo, count = counted
    pipeline = {
        "pipeline": {"name": "tock"},
        "input": {"cron": {"name": "tick", "spec": "@never", "overwrite": True}},
        "transform": {"cmd": ["sh", "-c", f'{echo}; echo "$year" >"$PFS/out/year"']},
        "vars": [{"name": "year", "type": "integer", "default": 2025}],
    }
    lab.create(files={**ATTRIBUTES, "tock/spec.yml": json.dumps(pipeline)})
    lab.push()
    lab.settle()
    given = {"year": "2026"}
    tick = "2026-11-30T12:00:00Z"
    run = trigger(lab.site(), "lab/data", "main", "tock", tick, "Ada", variables=given)
    lab.work_off()
    lab.pull()
    assert (1, "2026") == (count(), lab.git("show", "HEAD:tock/year").strip())
    assert run is not None
    ended = lab.site().runs.get(run.id)
    assert ended is not None
    (event,) = lab.site().events.latest()
    assert (f"{tick} by Ada", run.id) == (event.event, event.run)
    assert ("trigger", "Ada", "settled") == (ended.cause, ended.requested_by, ended.state)
    assert "2026" == ended.pipelines[0].variables[0]["value"]
    lab.forget()
    lab.settle()
    assert 0 == count()


@pytest.mark.long
def test_a_source_that_stays_the_same_makes_no_commit(lab: Lab, counted: Counted) -> None:
    """Several ticks, each runs the command once, and the branch stays where it is."""
    echo, count = counted
    lab.create(files={**ATTRIBUTES, "tock/spec.yml": spec(f'{echo}; echo same >"$PFS/out/f"')})
    lab.push()
    lab.settle()
    due(lab.site())
    lab.work_off()
    tip = lab.tip()
    for _ in range(2):
        due(lab.site())
        lab.work_off()
    assert (True, tip) == (count() >= 3, lab.tip())
    refs = lab.git("ls-remote", "origin", "refs/tea/*").split()[1::2]
    assert [] == [ref for ref in refs if ref.startswith("refs/tea/jobs/")]


@pytest.mark.long
def test_a_run_that_a_tick_starts_says_so(lab: Lab, counted: Counted) -> None:
    """Also where its plan was made for a push; the push has a run of its own, which has ended."""
    echo, count = counted
    pipeline = json.loads(spec(f'{echo}; cp "$tick" "$PFS/out/now"', "@every 24h"))
    pipeline["input"]["cron"]["start"] = "2026-01-01T00:00:00Z"
    lab.create(files={**ATTRIBUTES, "tock/spec.yml": json.dumps(pipeline)})
    lab.push()
    last = lab.settle()
    assert last is not None
    runs = lab.site().runs.latest()
    assert [("schedule", "settled"), ("test", "settled")] == [(r.cause, r.state) for r in runs]
    assert (1, runs[1].id) == (count(), last.previous)
    (event,) = lab.site().events.latest()
    assert ("lab/data tock", "schedule", "planned", last.id) == (
        event.trigger,
        event.kind,
        event.outcome,
        event.run,
    )


@pytest.mark.long
def test_a_skipped_push_stops_no_schedule(lab: Lab, counted: Counted) -> None:
    """What ticks runs, and what reads data waits for the next push."""
    echo, count = counted
    reads = {
        "pipeline": {"name": "sum"},
        "input": {"pfs": {"repo": "raw", "glob": "/*"}},
        "transform": {"cmd": ["sh", "-c", 'cp "$raw" "$PFS/out"']},
    }
    lab.create(
        files={
            **ATTRIBUTES,
            "raw/a": "a\n",
            "sum/spec.yml": json.dumps(reads),
            "tock/spec.yml": spec(f'{echo}; cp "$tick" "$PFS/out/now"'),
        }
    )
    lab.push()
    lab.settle()
    count()
    lab.pull()
    lab.write({"raw/b": "b\n"})
    lab.save("more [skip tea]")
    lab.push()
    lab.settle()
    count()
    lab.forget()
    lab.settle()
    for _ in range(2):
        due(lab.site())
        lab.work_off()
        assert count() >= 1
    lab.pull()
    assert "" == lab.git("ls-tree", "HEAD", "sum/b")
    lab.write({"README.md": "x\n"})
    lab.save("go on")
    lab.push()
    lab.settle()
    lab.pull()
    assert "b" == lab.git("show", "HEAD:sum/b").strip()
