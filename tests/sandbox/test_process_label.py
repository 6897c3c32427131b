"""Whether the process of a label has died."""

from __future__ import annotations

import subprocess  # noqa: TID251 - a process that dies, outside of the one place that starts processes

import pytest

from tea_runner.sandbox.process_identity import has_died, process_label


def test_a_living_process_has_not_died() -> None:
    """Its own label says so."""
    assert not has_died(process_label())


def test_a_process_that_ended_has_died() -> None:
    """Its id is free, or of a process that began at another time."""
    with subprocess.Popen(["true"]) as dead:
        pass
    host, namespace, pid, _ = process_label().split("/")

    assert has_died(f"{host}/{namespace}/{dead.pid}/1")
    assert has_died(f"{host}/{namespace}/{pid}/1")


@pytest.mark.parametrize(
    "change",
    [("other", None), (None, "1"), (None, "")],
    ids=["another host", "another PID namespace", "no namespace"],
)
def test_nothing_is_said_of_a_process_that_cannot_be_seen(
    change: tuple[str | None, str | None],
) -> None:
    """A worker in a container has ids of its own, also where it has the name of the host."""
    host, namespace, _, _ = process_label().split("/")

    assert not has_died(f"{change[0] or host}/{namespace if change[1] is None else change[1]}/1/1")


@pytest.mark.parametrize("label", ["", "host", "host/1/1", "a/b/c/d", "a/b/c/d/e"])
def test_a_label_of_another_version_is_left_alone(label: str) -> None:
    """What cannot be read names no dead process."""
    assert not has_died(label)
