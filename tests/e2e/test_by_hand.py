"""What people ask of the server beyond pushing: computing again what is known."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tea_runner.broker.run_store import RunStore
from tests.cli.dataset import tea
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, push, spec

Counted = tuple[str, Callable[[], int]]
RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n"}


def recompute(lab: Lab, *words: str) -> dict[str, object]:
    """Ask as a person would, and let the server work."""
    config = lab.root / "hosts" / "host" / "tea-runner.toml"
    run = RunStore(lab.site().redis).latest(1)[0]
    said = tea(lab.dataset, "--config", str(config), "--json", "recompute", run.id, *words)
    assert 0 == said.code, said
    lab.work_off()
    document: dict[str, object] = json.loads(said.out)
    return document


@pytest.mark.long
def test_other_bytes_replace_the_result_and_are_reported(lab: Lab, counted: Counted) -> None:
    """One datum: its file changes, the record says so, the run says "not reproducible"."""
    echo, count = counted
    path = echo.rpartition(" ")[2]
    moody = f'{echo}; f=$(ls "$PFS/in"); wc -l < {path} > "$PFS/out/$f"'
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", moody)})
    push(lab, count)
    other = lab.git("show", "HEAD:up/b.txt")
    recompute(lab, "in:a.txt")

    assert 1 == count()
    lab.pull()
    assert "3" == lab.git("show", "HEAD:up/a.txt").strip()
    assert other == lab.git("show", "HEAD:up/b.txt")
    assert "Tea-Recompute: 1" in lab.git("log", "-1", "--format=%B")
    run = RunStore(lab.site().redis).latest(1)[0]
    assert "not reproducible: other bytes for in:a.txt" == run.pipelines[0].detail
    lab.settle()
    assert 0 == count()
    assert "not reproducible" in RunStore(lab.site().redis).latest(1)[0].pipelines[0].detail


@pytest.mark.long
def test_a_recomputation_that_fails_leaves_what_is_known(lab: Lab, counted: Counted) -> None:
    """The command fails the second time: it is tried once, the result stays, the ledger says so."""
    echo, count = counted
    path = echo.rpartition(" ")[2]
    text = f"{echo}; test $(wc -l < {path}) -le 1; {COPY}"
    one = {"raw/a.txt": "a\n", "up/spec.yml": spec("up", text, datum_tries=1)}
    lab.create(files={**ATTRIBUTES, **one})
    push(lab, count)
    tip = lab.tip()
    recompute(lab, "up")

    assert 1 == count()
    assert tip == lab.tip()
    ledger = lab.site().recompute_requests(lab.name, "main").ledger()["pipelines"]["up"]
    assert 1 == ledger["failed"]
    lab.settle()
    assert 0 == count()
