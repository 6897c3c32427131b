"""The comment on a pull request: numbers, reasons, graph, and no markup of strangers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tea_runner.core.planning.paused_or_unapproved_work import PlannedWork, WorkLimits, excess
from tea_runner.present.markdown_text import markdown_code
from tea_runner.present.pull_request_comment import (
    MARKER,
    CommentedPipeline,
    PullRequestComment,
    comment_text,
)

UP = CommentedPipeline(
    name="up", state="waiting", run=12, reuse=3988, reasons={"input-changed": 12}
)
ALL = CommentedPipeline(name="all", state="waiting", detail="up", upstream=["up"])


def test_a_plan_says_what_it_would_run_and_fetch() -> None:
    """Of a commit that nothing runs of."""
    text = comment_text(
        PullRequestComment(
            commit="4bb71d674bc2" + "0" * 28, pipelines=[UP, ALL], fetch=3_328_599_654
        )
    )

    assert text.startswith(MARKER + "\n")
    assert (
        "`4bb71d674bc2` **would run 12 of 4,000 datums, fetch 3.1 GiB; 1 pipeline after them**"
        in text
    )
    assert "| ○ <code>up</code> | 12 | 3,988 | 0 | input-changed 12 |" in text
    assert "flowchart LR" in text
    assert '  p0["○ up<br>12 run, 3#44;988 reuse"]:::waiting' in text or "p0[" in text
    assert "  p0 --> p1" in text
    assert "classDef waiting" in text


def test_a_plan_says_that_a_push_would_wait_for_approval() -> None:
    """With the number and the limit; of less it says nothing."""
    said = PullRequestComment(commit="c" * 40, pipelines=[UP])
    above = excess([PlannedWork("up", 12)], WorkLimits(datums=5))
    text = comment_text(replace(said, approval=above))
    assert (
        "\nA push of it waits for approval: it would compute 12 datums; limits.ask_above is 5.\n"
        in text
    )
    assert "approval" not in comment_text(said)


def test_a_run_has_its_state_and_links() -> None:
    """In place of what would be."""
    said = PullRequestComment(
        commit="c" * 40,
        pipelines=[UP],
        state="✓ done",
        sentence="12 done, 3988 reused",
        fetch=2048,
        links={"run": "https://runner/runs/1", "results": ""},
    )

    assert "**✓ done** of `cccccccccccc`: <code>12 done&#44; 3988 reused</code>" in comment_text(
        said
    )
    assert "\n[run](https://runner/runs/1) · 2.0 KiB fetched\n" in comment_text(said)
    assert "mermaid" not in comment_text(said), "a graph of one pipeline says nothing"


@pytest.mark.parametrize(
    "name",
    [
        "@everyone",
        "#12",
        "closes #3",
        "```\n# title",
        "</code><script>",
        "![x](https://evil/x.png)",
        "| a | b |",
        "www.evil.org https://evil.org",
        "-->",
        ":tada: lab/data!7 0123456789abcdef0123456789abcdef01234567",
        "\u202e\x00\n\n- [ ] x",
        '"]; click p0 "https://evil"',
        "<!-- tea-runner: pull request -->",
    ],
)
def test_no_name_becomes_markup(name: str) -> None:
    """Of files, pipelines, branches and problems: no signs of it are left, in table, list and graph."""
    row = CommentedPipeline(
        name=name, state="blocked", detail=name, upstream=[name], reasons={"new": 1}
    )
    said = PullRequestComment(commit="c" * 40, pipelines=[row, UP], problems=[name], state="✗")
    text = comment_text(said)

    assert text.count("```") == 2
    shown = markdown_code(name)
    assert text.count(shown) >= 1
    inside = shown.removeprefix("<code>").removesuffix("</code>")
    assert re.fullmatch(r"(?:[\w ]|&#\d+;|…)*", inside), inside
    assert "\n" not in inside
    graph = text.split("```")[1]
    assert not set(graph) & set("@`!|<") - set("<"), graph
    assert graph.count("<") == 2, "the line breaks of the two labels"
    assert "click" not in graph or 'click p0 "' not in graph


def test_a_long_text_is_cut() -> None:
    """Forges limit comments."""
    rows = [
        CommentedPipeline(name="x" * 500, state="failed", detail="y" * 5000, fail=1)
        for _ in range(500)
    ]
    text = comment_text(
        PullRequestComment(commit="c" * 40, pipelines=rows, problems=["z" * 9000] * 99)
    )

    assert len(text) < 60_000
    assert "| and 460 more |" in text
