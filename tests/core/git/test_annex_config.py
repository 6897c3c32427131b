"""What ``git annex config`` keeps is read as git-annex reads it."""

from __future__ import annotations

from tea_runner.core.git.git_annex_config import parse_annex_config


def test_the_newest_value_of_a_name_counts() -> None:
    """In any order; a value that was unset is none, and a malformed line nothing."""
    log = (
        b"20.5s annex.largefiles largerthan=1kb and not include=*.txt\n"
        b"10s annex.largefiles anything\n3s annex.dotfiles true\n4s annex.dotfiles \nodd\n\n"
    )

    assert {"annex.largefiles": "largerthan=1kb and not include=*.txt"} == parse_annex_config(log)
