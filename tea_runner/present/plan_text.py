"""A plan as lines of text, in DataLad's style ``action(status): path``, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.plan import Decision, PipelinePlan, Plan
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.present.visible_text import visible

_SHOWN = 40


def plan_lines(plan: Plan, *, everything: bool = False, quiet: bool = False) -> Iterator[str]:
    """A table of counts, then what runs and why, then a summary.

    :param quiet: problems and the summary only.
    """
    if quiet:
        yield from (f"problem: {problem}" for problem in plan.problems)
        yield summary(plan)
        return
    width = max((len(p.pipeline.name) for p in plan.pipelines), default=0)
    for row in plan.pipelines:
        yield f"{row.pipeline.name:{width}}  {_numbers(row)}"
    shown = 0
    for row in plan.pipelines:
        for decision in row.decisions:
            if not everything and decision.action in ("current", "reuse"):
                continue
            shown += 1
            if shown > _SHOWN and not everything:
                continue
            yield decision_line(row.pipeline.name, decision)
        if row.state in ("waiting", "blocked") or row.reason == "trigger":
            reason = row.reason or "upstream"
            detail = row.detail or SENTENCES[reason]
            word = "blocked" if row.state == "blocked" else "wait"
            yield f"{word}({reason}): {row.pipeline.name}  {detail}"
    if shown > _SHOWN and not everything:
        yield f"… and {shown - _SHOWN} more; --all shows them"
    for problem in plan.problems:
        yield f"problem: {problem}"
    yield summary(plan)


def decision_line(pipeline: str, decision: Decision) -> str:
    """``run(new): edges images:a.jpg  it had not been computed before``."""
    why, label = decision.detail or SENTENCES[decision.reason], shown_label(decision.label)
    return visible(f"{decision.action}({decision.reason}): {pipeline} {label}  {why}")


def _numbers(row: PipelinePlan) -> str:
    numbers = row.state_counts
    cells = [
        f"{numbers['run']:>6} run",
        f"{numbers['reuse']:>6} reuse",
        f"{numbers['current']:>6} current",
        f"{numbers['wait']:>6} wait",
    ]
    if numbers["recovered"]:
        cells.append(f"{numbers['recovered']:>6} recovered")
    if numbers["failed"]:
        cells.append(f"{numbers['failed']:>6} failed")
    if row.state in ("waiting", "blocked"):
        return f"{row.state}: {row.detail or row.reason}"
    return " ".join(cells)


def summary(plan: Plan) -> str:
    """The last line: the number of datums to run."""
    numbers: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    waiting = 0
    for row in plan.pipelines:
        numbers.update(row.state_counts)
        reasons.update(d.reason for d in row.decisions if d.action == "run")
        waiting += row.state == "waiting"
    known = numbers["current"] + numbers["reuse"] + numbers["recovered"]
    if not plan.has_work and not plan.problems:
        return f"Nothing to do: {_datums(known)} known."
    text = f"{_datums(numbers['run'])} to run now"
    if waiting:
        text += f", {waiting} pipeline{'s' if waiting > 1 else ''} after them"
    text += f"; {known} known."
    if reasons:
        text += " Reasons: " + ", ".join(f"{name} {n}" for name, n in sorted(reasons.items())) + "."
    if reasons["result-unproven"]:
        text += " Who signed them: tea-runner trust show."
    return text + " Nothing was written."


def _datums(number: int) -> str:
    return "1 datum" if number == 1 else f"{number} datums"


def plan_json(plan: Plan, *, everything: bool = True) -> dict[str, object]:
    """The plan, for JSON.

    :param everything: with the datums that are known.
    """
    return {
        "commit": plan.commit,
        "problems": list(plan.problems),
        "pipelines": [
            {
                "name": row.pipeline.name,
                "state": row.state,
                "reason": row.reason,
                "detail": row.detail,
                "counts": dict(row.state_counts),
                "datums": [
                    {
                        "datum": d.label,
                        "key": d.key,
                        "action": d.action,
                        "reason": d.reason,
                        "detail": d.detail,
                        "source": d.source,
                    }
                    for d in row.decisions
                    if everything or d.action not in ("current", "reuse")
                ],
            }
            for row in plan.pipelines
        ],
    }
