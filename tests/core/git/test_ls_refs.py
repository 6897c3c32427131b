"""Requests and responses of ls-refs; only complete responses are accepted."""

from __future__ import annotations

import pytest

from tea_runner.core.git.ls_refs import ls_refs_request, parse_ls_refs

MAIN, ANNEX = "4bb71d674bc20617b13042dfcd1f64d75949cb69", "9d0c1f5e3a7b2468ace013579bdf02468ace1357"


def packets(*lines: str) -> bytes:
    """Lines as git packs them, with the end."""
    return b"".join(b"%04x%s" % (len(line) + 4, line.encode()) for line in lines) + b"0000"


WHOLE = packets(f"{MAIN} refs/heads/main\n", f"{ANNEX} refs/heads/git-annex\n")


def test_the_question_is_packed_as_git_packs_it() -> None:
    """Four hex digits of length before each line, a delimiter before the arguments, an end."""
    assert b"0014command=ls-refs\n0001001bref-prefix refs/heads/\n0000" == ls_refs_request(
        "refs/heads/"
    )


def test_a_whole_answer_is_read() -> None:
    """All refs below the prefix; what is said besides is left out, and no refs are no refs."""
    expected = {"refs/heads/main": MAIN, "refs/heads/git-annex": ANNEX}
    assert expected == parse_ls_refs(WHOLE, "refs/heads/")
    more = packets(f"{MAIN} HEAD\n", f"{MAIN} refs/heads/main", f"{MAIN} refs/tea/jobs/1\n")
    assert {"refs/heads/main": MAIN} == parse_ls_refs(more, "refs/heads/")
    assert {"refs/heads/a": "e" * 64} == parse_ls_refs(
        packets(f"{'e' * 64} refs/heads/a\n"), "refs/heads/"
    )
    assert {} == parse_ls_refs(b"0000", "refs/heads/")


def test_a_cut_answer_is_none_wherever_it_was_cut() -> None:
    """Half a list would look like deleted branches."""
    assert [None] * len(WHOLE) == [
        parse_ls_refs(WHOLE[:cut], "refs/heads/") for cut in range(len(WHOLE))
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"<html>busy</html>",
        packets("ERR upload-pack: not our ref"),
        b"0001" + WHOLE,
        b"0002",
        WHOLE + b"0000",
        b"-001",
        b"0004" + WHOLE,
        packets("main refs/heads/main"),
        b"FFFF",
        packets(f"{MAIN} refs/heads/a b"),
    ],
)
def test_anything_else_is_no_answer(data: bytes) -> None:
    """Errors, pages, other versions of the protocol, more than the end."""
    assert parse_ls_refs(data, "refs/heads/") is None
