"""Explanations in, the lines of a terminal or rows for programs out."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.core.planning.explanation import Change, Explanation
from tea_runner.core.planning.plan import Action
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.present.visible_text import visible

_DOES: dict[Action, str] = {
    "current": "is known",
    "reuse": "is reused",
    "run": "will run",
    "wait": "waits",
    "failed": "failed",
    "blocked": "cannot run",
}


def why_lines(said: Explanation) -> Iterator[str]:
    """One datum: what happens to it and why, what changed, what made its results, what follows."""
    for line in _lines(said):
        yield visible(line)


def _lines(said: Explanation) -> Iterator[str]:
    yield f"{said.action}({said.reason}): {said.pipeline} {said.datum}"
    why = SENTENCES[said.reason] if said.reason != "missing-input" or not said.detail else ""
    detail = f"{why}: {said.detail}" if why and said.detail else why or said.detail
    yield f"  it {_DOES[said.action]}: {detail}"
    for change in said.changes:
        yield f"  {_change(change)}"
    if said.unknown:
        yield f"  {said.unknown}; git fetch --unshallow may bring it"
    elif said.changes and said.inputs_at:
        yield f"  compared with commit {said.inputs_at[:12]}, from which its results were made"
    if said.key:
        yield f"  key {said.key}" + (
            f", was {said.key_before}" if said.key_before not in ("", said.key) else ""
        )
    for path in said.outputs[:10]:
        yield f"  result {path}"
    if len(said.outputs) > 10:
        yield f"  … and {len(said.outputs) - 10} results more"
    if said.made is not None:
        yield f"  made by {said.made.commit[:12]} {said.made.subject}"
        yield f"  repeat it with: datalad rerun {said.made.commit[:12]}"
    if said.readers:
        yield f"  read by {', '.join(said.readers)}"


def _change(change: Change) -> str:
    what = {"input": "input ", "code": "code ", "field": ""}[change.kind] + change.path
    if not change.before and change.kind != "field":
        return f"{what} is new: {change.after}"
    if not change.after and change.kind != "field":
        return f"{what} is gone, it was {change.before}"
    return f"{what} changed: {change.before} → {change.after}"


def why_row(said: Explanation) -> dict[str, object]:
    """One mapping, with stable names."""
    return {
        "pipeline": said.pipeline,
        "datum": said.datum,
        "key": said.key,
        "key_before": said.key_before,
        "action": said.action,
        "reason": said.reason,
        "detail": said.detail,
        "inputs_at": said.inputs_at,
        "changes": [
            {"kind": c.kind, "path": c.path, "before": c.before, "after": c.after}
            for c in said.changes
        ],
        "unknown": said.unknown,
        "outputs": list(said.outputs),
        "commit": said.made.commit if said.made else "",
        "subject": said.made.subject if said.made else "",
        "readers": list(said.readers),
    }
