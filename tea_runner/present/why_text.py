"""Explanations of datums as lines of text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.explanation import Change, Explanation
from tea_runner.core.planning.plan import Action
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.present.visible_text import visible

_VERBS: dict[Action, str] = {
    "current": "is known",
    "reuse": "is reused",
    "run": "will run",
    "wait": "waits",
    "failed": "failed",
    "blocked": "cannot run",
}


def why_lines(explanation: Explanation) -> Iterator[str]:
    """One datum: action and reason, changes, results, and the pipelines that read them."""
    for line in _lines(explanation):
        yield visible(line)


def _lines(explanation: Explanation) -> Iterator[str]:
    datum = f"{explanation.pipeline} {shown_label(explanation.datum)}"
    yield f"{explanation.action}({explanation.reason}): {datum}"
    why = (
        SENTENCES[explanation.reason]
        if explanation.reason != "missing-input" or not explanation.detail
        else ""
    )
    detail = (
        f"{why}: {explanation.detail}" if why and explanation.detail else why or explanation.detail
    )
    recovered = explanation.reason == "recovered"
    yield f"  it {'was recovered' if recovered else _VERBS[explanation.action]}: {detail}"
    for change in explanation.changes:
        yield f"  {_change(change)}"
    if explanation.unknown:
        yield f"  {explanation.unknown}; git fetch --unshallow may fetch it"
    elif explanation.changes and explanation.inputs_at:
        yield f"  compared with commit {explanation.inputs_at[:12]}, the one of its results"
    if explanation.key:
        yield f"  key {explanation.key}" + (
            f", was {explanation.key_before}"
            if explanation.key_before not in ("", explanation.key)
            else ""
        )
    for path in explanation.outputs[:10]:
        yield f"  result {path}"
    if len(explanation.outputs) > 10:
        yield f"  … and {len(explanation.outputs) - 10} more results"
    if explanation.made is not None:
        yield f"  made by {explanation.made.commit[:12]} {explanation.made.subject}"
        yield f"  repeat it with: datalad rerun {explanation.made.commit[:12]}"
    if explanation.signer:
        yield f"  proven by {explanation.signer}"
    if explanation.readers:
        yield f"  read by {', '.join(explanation.readers)}"


def _change(change: Change) -> str:
    what = {"input": "input ", "code": "code ", "field": ""}[change.kind] + change.path
    if not change.before and change.kind != "field":
        return f"{what} is new: {change.after}"
    if not change.after and change.kind != "field":
        return f"{what} was removed; it was {change.before}"
    return f"{what} changed: {change.before} → {change.after}"


def why_row(explanation: Explanation) -> dict[str, object]:
    """The explanation, for JSON; the names are stable."""
    return {
        "pipeline": explanation.pipeline,
        "datum": explanation.datum,
        "key": explanation.key,
        "key_before": explanation.key_before,
        "action": explanation.action,
        "reason": explanation.reason,
        "detail": explanation.detail,
        "inputs_at": explanation.inputs_at,
        "changes": [
            {"kind": c.kind, "path": c.path, "before": c.before, "after": c.after}
            for c in explanation.changes
        ],
        "unknown": explanation.unknown,
        "outputs": list(explanation.outputs),
        "commit": explanation.made.commit if explanation.made else "",
        "subject": explanation.made.subject if explanation.made else "",
        "signer": explanation.signer,
        "readers": list(explanation.readers),
    }
