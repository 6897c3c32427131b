"""The one comment on a pull request: what its commit would run or has run, for each pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.planning.run_status import PipelineStatus, RunStatus
from tea_runner.core.planning.states import PlanState, State
from tea_runner.present.human_units import size
from tea_runner.present.markdown_text import markdown_code
from tea_runner.present.pipeline_graph import Box, dag_mermaid
from tea_runner.present.state_words import SHAPES, run_sentence

#: First line of the comment, by which it is found again.
MARKER = "<!-- tea-runner: pull request -->"
#: Pipelines in the table, pipelines in the graph, and problems.
_ROWS, _BOXES, _PROBLEMS = 40, 60, 10
#: The state that the plan of a pipeline stands for.
_STATES: Mapping[PlanState, State] = {
    "settled": "reused",
    "ready": "reused",
    "running": "waiting",
    "waiting": "waiting",
    "failed": "failed",
    "blocked": "blocked",
}
#: Colours of the graph: fill and edge, readable in light and dark pages.
_COLOURS: Mapping[State, tuple[str, str]] = {
    "done": ("#d3efd9", "#1a7f37"),
    "reused": ("#dbe9f9", "#0b5cad"),
    "running": ("#fff1c7", "#8a6100"),
    "waiting": ("#eceef0", "#57606a"),
    "failed": ("#ffdcd9", "#b42318"),
    "cancelled": ("#eceef0", "#57606a"),
    "blocked": ("#ffdcd9", "#b42318"),
    "recovered": ("#fff1c7", "#8a6100"),
    "superseded": ("#eceef0", "#57606a"),
}


@dataclass(frozen=True, kw_only=True)
class CommentedPipeline:
    """One row of the table."""

    name: str
    state: State
    #: Numbers of datums: to compute or computed, known, and failed.
    run: int = 0
    reuse: int = 0
    fail: int = 0
    #: Of those that run: how many for each reason.
    reasons: Mapping[str, int] = field(default_factory=dict)
    #: Why it waits, is blocked or failed; a text of strangers.
    detail: str = ""
    upstream: Sequence[str] = ()

    @property
    def total(self) -> int:
        """All of its datums."""
        return self.run + self.reuse + self.fail


@dataclass(frozen=True, kw_only=True)
class PullRequestComment:
    """What is said of one commit."""

    commit: str
    pipelines: Sequence[CommentedPipeline]
    problems: Sequence[str] = ()
    #: The run's state and sentence; empty for a plan of which nothing runs.
    state: str = ""
    sentence: str = ""
    #: Bytes that jobs would fetch, or have fetched.
    fetch: int = 0
    #: Links to pages, by their words.
    links: Mapping[str, str] = field(default_factory=dict)
    #: Why a push of it would wait for an approval; empty when it would not.
    approval: str = ""
    #: What has to be done so that it runs.
    next_step: str = ""


def planned_row(plan: PipelinePlan, upstream: Sequence[str]) -> CommentedPipeline:
    """The row of a pipeline that was planned only."""
    numbers = plan.counts
    return CommentedPipeline(
        name=plan.pipeline.name,
        state=_STATES[plan.state],
        run=numbers["run"],
        reuse=numbers["reuse"] + numbers["current"],
        fail=numbers["failed"] + numbers["wait"] + numbers["blocked"],
        reasons=Counter(str(decision.reason) for decision in plan.to_run),
        detail=plan.detail if plan.state in ("waiting", "blocked") else "",
        upstream=upstream,
    )


def run_rows(status: RunStatus) -> list[CommentedPipeline]:
    """The rows of a run."""
    return [_run_row(row) for row in status.pipelines]


def _run_row(row: PipelineStatus) -> CommentedPipeline:
    numbers = row.numbers
    known = numbers.get("reused", 0)
    fail = numbers.get("failed", 0) + numbers.get("cancelled", 0) + numbers.get("blocked", 0)
    ran = [each for each in row.datums if each.state not in ("reused", "superseded")]
    return CommentedPipeline(
        name=row.name,
        state=row.state,
        run=row.total - known - fail,
        reuse=known,
        fail=fail,
        reasons=Counter(each.reason for each in ran if each.reason not in ("failed", "known")),
        detail=row.detail if row.state not in ("done", "reused") else "",
        upstream=row.upstream,
    )


def comment_sentence(status: RunStatus) -> tuple[str, str]:
    """State and sentence of a run."""
    return f"{SHAPES[status.state]} {status.state}", run_sentence(status)


def comment_text(said: PullRequestComment) -> str:
    """The comment in the forge's Markdown; begins with :data:`MARKER`."""
    return "\n".join([MARKER, *_lines(said)]) + "\n"


def _lines(said: PullRequestComment) -> Iterator[str]:
    at = f"`{said.commit[:12]}`"
    if said.state:
        yield f"**{said.state}** of {at}: {markdown_code(said.sentence, 200)}"
    else:
        yield f"{at} **{_would(said)}**"
    yield ""
    for problem in said.problems[:_PROBLEMS]:
        yield f"- problem: {markdown_code(problem, 300)}"
    if said.pipelines:
        yield from (
            "",
            "| pipeline | run | reuse | fail | why |",
            "| --- | --: | --: | --: | --- |",
        )
        yield from map(_row, said.pipelines[:_ROWS])
        rest = len(said.pipelines) - _ROWS
        if rest > 0:
            yield f"| and {rest} more | | | | |"
    if 1 < len(said.pipelines) <= _BOXES:
        yield from ("", "```mermaid", *_graph(said.pipelines), "```")
    links = [f"[{words}]({url})" for words, url in said.links.items() if url]
    if said.fetch and said.state:
        links.append(f"{size(said.fetch)} fetched")
    yield ""
    if links:
        yield " · ".join(links)
    if said.approval:
        yield f"A push of it waits for approval: it {said.approval}."
    if said.next_step:
        yield f"Nothing was run. {said.next_step}"


def _would(said: PullRequestComment) -> str:
    run = sum(row.run for row in said.pipelines)
    total = sum(row.total for row in said.pipelines)
    waiting = sum(row.state == "waiting" and not row.total for row in said.pipelines)
    text = f"would run {run:,} of {total:,} datums"
    if said.fetch:
        text += f", fetch {size(said.fetch)}"
    if waiting:
        text += f"; {waiting} {'pipeline' if waiting == 1 else 'pipelines'} after them"
    return text


def _row(row: CommentedPipeline) -> str:
    why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(row.reasons.items()))
    detail = markdown_code(row.detail, 120)
    name = f"{SHAPES[row.state]} {markdown_code(row.name)}"
    cells = (name, f"{row.run:,}", f"{row.reuse:,}", f"{row.fail:,}")
    return f"| {' | '.join(cells)} | {'; '.join(filter(None, (why, detail)))} |"


def _graph(pipelines: Sequence[CommentedPipeline]) -> Iterator[str]:
    boxes = [
        Box(name=row.name, state=row.state, note=f"{row.run:,} run, {row.reuse:,} reuse")
        for row in pipelines
    ]
    yield from dag_mermaid(boxes, {row.name: row.upstream for row in pipelines}).splitlines()
    for state in sorted({row.state for row in pipelines}):
        fill, edge = _COLOURS[state]
        yield f"  classDef {state} fill:{fill},stroke:{edge},color:#1f2328"
