"""Notes on pull requests: what others have written there is left out."""

from __future__ import annotations

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.pull_request_notes import PullRequestNote
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, broker, site

__all__ = ["broker", "site"]


def test_a_note_is_read_back(site: Site) -> None:
    """And found by its branch, until the pull request is closed."""
    notes = site.pull_request_notes(REPOSITORY)
    note = PullRequestNote(commit="1" * 40, branch="fix", comment="12", digest="d")
    notes.put(3, note)
    notes.note_proposed("main", "2" * 40)

    assert ({3: note}, [3]) == (notes.all(), notes.of_branch("fix"))
    assert "2" * 40 == notes.proposed("main")
    notes.forget([3])
    assert {} == notes.all()
    assert "2" * 40 == notes.proposed("main")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"commit": 3}',
        '{"commit": "c", "comment": "../1"}',
        '{"more": "x"}',
        "[" * 9999,
    ],
)
def test_what_is_no_note_is_left_out(site: Site, text: str) -> None:
    """A comment's id becomes a part of an address."""
    site.redis.hset(redis_keys.pull_requests(REPOSITORY), "3", text)
    notes = site.pull_request_notes(REPOSITORY)

    assert notes.get(3) is None
    assert {} == notes.all()
