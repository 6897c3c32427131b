"""Hosts follow the queue: real commands start and stop real processes that stand for hosts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.broker.live_processes import ProcessFacts
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.workers.conftest import Counting, faulty_lab
from workers.autoscale_hosts import HostAutoscaler

_START = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
if (folder / "broken").exists():
    sys.exit("no host is left")
assert sys.argv[2] == os.environ["TEA_RUNNER_WORKER__HOST"]
(folder / sys.argv[2]).touch()
"""
_STOP = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / sys.argv[2]).unlink(missing_ok=True)"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with three datums to compute and commands for hosts, which are files."""
    with faulty_lab(tmp_path, Counting()) as made:
        hosts = tmp_path / "cloud"
        hosts.mkdir()
        for name, code in (("start", _START), ("stop", _STOP)):
            (tmp_path / f"{name}-host").write_text(code)
            words = json.dumps(
                [sys.executable, str(tmp_path / f"{name}-host"), str(hosts), "{name}"]
            )
            made.tables += (
                f"\n[autoscale]\n{name} = {words}\n"
                if name == "start"
                else (f"{name} = {words}\nidle = 60\nmaximum = 2\n")
            )
        files = {f"raw/{name}.txt": name for name in "abc"}
        made.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", COPY)})
        made.push()
        yield made


def _hosts(lab: Lab) -> set[str]:
    return {path.name for path in (lab.root / "cloud").iterdir() if path.name != "broken"}


def test_hosts_follow_the_queue(lab: Lab) -> None:
    """From none to as many as may be, and back to none; a host with a job stays."""
    hands, now = Hands(lab), [1000.0]
    scaler = HostAutoscaler(hands.site, clock=lambda: now[0])
    scaler.round()
    assert set() == _hosts(lab)
    hands.plan()
    scaler.round()
    assert {each.name for each in scaler.hosts} == _hosts(lab)
    assert 2 == len(_hosts(lab))

    (first, *_) = sorted(_hosts(lab))
    worker = ProcessFacts(name="w", kind="job", host=first, offers=("host",))
    hands.site.processes.beat(worker)
    (job, *others) = sorted(hands.site.jobs.waiting())
    claim = hands.site.jobs.claim(job, "w", "token")
    assert claim is not None
    for other in others:
        hands.worker(other)
    hands.site.redis.delete("rq:queue:tea-job")
    # A killed autoscaler has forgotten nothing; a host that is never heard of is stopped.
    scaler = HostAutoscaler(hands.site, clock=lambda: now[0])
    now[0] += 700
    hands.site.processes.beat(worker)
    scaler.round()
    assert {first} == _hosts(lab)
    hands.site.jobs.finish(claim, "done")
    now[0] += 61
    hands.site.processes.beat(worker)
    scaler.round()
    assert hands.site.processes.is_draining(first)
    assert {first} == _hosts(lab)
    now[0] += 16
    hands.site.processes.beat(worker)
    scaler.round()
    assert set() == _hosts(lab)
    assert [] == list(scaler.hosts)
    hands.close()


def test_a_start_command_that_fails_is_tried_again_later(lab: Lab) -> None:
    """After pauses that grow, and the reason is said; then hosts start."""
    hands, now = Hands(lab), [1000.0]
    hands.plan()
    (lab.root / "cloud" / "broken").touch()
    scaler = HostAutoscaler(hands.site, clock=lambda: now[0])
    scaler.round()
    assert "no host is left" in scaler.problem
    assert [] == list(scaler.hosts)
    (lab.root / "cloud" / "broken").unlink()
    now[0] += 9
    scaler.round()
    assert set() == _hosts(lab)
    assert "no host is left" in scaler.problem
    now[0] += 2
    scaler.round()
    assert 2 == len(_hosts(lab))
    assert "" == scaler.problem
    hands.close()
