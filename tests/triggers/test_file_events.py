"""Changes in folders, announced by the system or looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.triggers import file_events
from tea_runner.triggers.file_events import FileEvents


def test_a_change_ends_the_wait(tmp_path: Path) -> None:
    """Deep below as well; git's own files are no change."""
    (tmp_path / "deep/.git").mkdir(parents=True)
    events = FileEvents([tmp_path])
    try:
        while not events.wait(0.5):  # until the watch stands
            (tmp_path / "deep/first").write_text("x")
        while events.wait(1):
            pass
        (tmp_path / "deep/.git/index").write_text("x")
        assert not events.wait(1)
        (tmp_path / "deep/a").write_text("x")
        assert events.wait(30)
        assert not events.polls
    finally:
        events.close()


def test_without_announcements_the_wait_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no watch left, folders are looked at every few seconds."""

    def none_left(*_: object, **__: object) -> Iterator[None]:
        raise OSError("OS file watch limit reached.")
        yield

    monkeypatch.setattr(file_events, "watch", none_left)
    monkeypatch.setattr(file_events, "POLL", 0.1)
    events = FileEvents([tmp_path])
    assert events.wait(60)
    assert events.wait(60)
    assert events.polls
