"""Lineage as lines of text or as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.results.lineage import Lineage, LineageFile, LineageStep
from tea_runner.present.visible_text import visible

_SHOWN = 20


def up_lines(lineage: Lineage) -> Iterator[str]:
    """From results to original inputs, indented by distance; each step is shown once."""
    makers = {output: step for step in lineage.steps.values() for output in step.outputs}
    shown: set[str] = set()

    def walk(file: LineageFile, depth: int) -> Iterator[str]:
        yield "  " * depth + _file(file)
        step = makers.get(file.id)
        if step is None:
            return
        before = "  " * (depth + 1)
        if step.id in shown:
            yield f"{before}made by {step.pipeline} {shown_label(step.datum)}, see above"
            return
        shown.add(step.id)
        for line in _step(step):
            yield before + line
        for name in step.code[:_SHOWN]:
            yield f"{before}code {_file(lineage.files[name])}"
        for name in step.inputs[:_SHOWN]:
            yield from walk(lineage.files[name], depth + 1)
        left = len(step.inputs) - _SHOWN
        if left > 0:
            yield f"{before}… and {left} more inputs; --json lists all"

    for root in lineage.roots:
        for line in walk(lineage.files[root], 0):
            yield visible(line)


def down_lines(lineage: Lineage) -> Iterator[str]:
    """Each step that used the file, with its results."""
    for step in lineage.steps.values():
        yield visible(f"{step.pipeline} {shown_label(step.datum)}")
        for name in step.outputs:
            yield visible(f"  {_file(lineage.files[name])}")


def _file(file: LineageFile) -> str:
    where = f"subdataset {file.dataset} " if file.dataset else ""
    return f"{file.path}  {file.content}  {where}commit {file.commit[:12]}"


def _step(step: LineageStep) -> Iterator[str]:
    yield f"made by {step.pipeline} {shown_label(step.datum)}"
    yield f"command {shlex.join(step.command)}"
    if step.environment:
        yield f"environment {' '.join(step.environment)}"
    yield f"key {step.key}"
    if step.record:
        yield f"record {step.record[:12]} {step.subject}"
    yield f"proven by {step.signer}" if step.signer else "not proven by a trusted signature"
    if step.note:
        yield step.note


def lineage_row(lineage: Lineage) -> dict[str, Any]:
    """The whole lineage, for JSON."""
    return {
        "roots": lineage.roots,
        "files": [{"id": file.id, **_plain(file)} for file in lineage.files.values()],
        "steps": [{"id": step.id, **_plain(step)} for step in lineage.steps.values()],
    }


def _plain(value: LineageFile | LineageStep) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(value).items()}
