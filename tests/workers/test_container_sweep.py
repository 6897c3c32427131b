"""Containers that a worker left when it died are removed by the workers that live."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.sandbox.process_identity import process_label
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from workers import job_worker
from workers.job_worker import JobWorker

#: Lists one container with a label, and notes the container that it removes.
_PODMAN = """\
#!/bin/sh
case "$1" in
ps) echo 0123 ;;
inspect) echo '[{{"Name": "tea-0", "Config": {{"Labels": {{"io.tea-runner.worker": "{label}"}}}}}}]' ;;
rm) for last; do :; done; echo "$last" >>"{removed}" ;;
esac
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose workers may run images in podman."""
    made = folder_lab(tmp_path)
    made.settings += 'environments = ["host", "podman"]\n'
    made.env = {**made.env, "PATH": f"{tmp_path / 'bin'}:{made.env['PATH']}"}
    yield made
    made.close()


def install_podman(lab: Lab, label: str) -> Path:
    """A podman with one container; returns the file with the names that it was told to remove."""
    program, removed = lab.root / "bin" / "podman", lab.root / "removed"
    program.parent.mkdir()
    program.write_text(_PODMAN.format(label=label, removed=removed))
    program.chmod(0o755)
    removed.touch()
    return removed


def dead() -> str:
    """The label of a worker whose process id another process has by now."""
    return process_label().rpartition("/")[0] + "/1"


def test_a_worker_removes_containers_of_dead_workers_at_its_start(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    """They would run for ever, because nobody waits for them."""
    removed = install_podman(lab, dead())

    with caplog.at_level(logging.WARNING):
        JobWorker(lab.site(), "worker").close()
    assert "tea-0\n" == removed.read_text()
    assert "container of a worker that died is removed: tea-0" in caplog.text


def test_containers_of_living_workers_are_kept(lab: Lab) -> None:
    """Each has the label of its worker."""
    removed = install_podman(lab, process_label())

    JobWorker(lab.site(), "worker").close()
    assert "" == removed.read_text()


def test_a_worker_looks_again_from_time_to_time(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that died need not be started again."""
    removed = install_podman(lab, dead())
    worker = JobWorker(lab.site(), "worker")
    worker("no job has this id")
    monkeypatch.setattr(job_worker, "_SWEEP_EVERY", 0.0)
    worker("no job has this id")
    worker.close()

    assert "tea-0\ntea-0\n" == removed.read_text()


def test_a_worker_without_its_engine_starts(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Commands without an image need none."""
    lab.env = {**lab.env, "PATH": str(lab.root / "bin")}

    JobWorker(lab.site(), "worker").close()
    assert "containers of dead workers are not removed: " in caplog.text
