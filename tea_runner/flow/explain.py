"""Explanation of a datum: why it runs or is known, what changed, and what made its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Literal

from tea_runner.core.datums.datum import is_label
from tea_runner.core.errors import TeaError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.explanation import Change, Explanation, Made
from tea_runner.core.planning.plan import Action, Decision
from tea_runner.core.planning.recorded_environment import recorded_variables
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.output_owners import join
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.read_manifest_statement import inputs_commit
from tea_runner.flow.resolve_pipeline import seen_files
from tea_runner.flow.resolve_variable_values import with_variables

#: Opens a commit; None when the clone does not have it.
OpenTip = Callable[[str], CommitReader | None]
#: Finds the commit that last wrote a path.
LastCommit = Callable[[str], Made | None]


@dataclass(frozen=True, kw_only=True)
class Match:
    """The datums that a word of the user means."""

    #: datum: the word names them; result: they made the path; input, code: their commands see it.
    how: Literal["datum", "result", "input", "code"]
    datums: tuple[tuple[Pipeline, str], ...]


def find(planned: PlannedCommit, word: str, path: str) -> Match | None:
    """Resolve a label, a pipeline, the beginning of a key, or a path; None when nothing matches.

    :param word: as the user wrote it, such as ``edges images:a.jpg``.
    :param path: the same as a path in the dataset.
    """
    tip = planned.tip
    labelled = tuple(_labelled(planned, word))
    if labelled:
        return Match(how="datum", datums=labelled)
    made = tuple(
        (pipeline, row.datum)
        for pipeline in tip.pipelines
        for row in read_manifest(tip.tree, pipeline.home).rows
        if path in _outputs(pipeline, row)
    )
    if made:
        return Match(how="result", datums=made)
    read = tuple(
        (inputs.pipeline, datum.label)
        for inputs in planned.works.values()
        for datum in inputs.datums
        if any(_contains(p, path) for p in inputs.input_paths(datum))
        or path in inputs.linked_paths(datum)
    )
    if read:
        return Match(how="input", datums=read)
    code = tuple(
        (inputs.pipeline, datum.label)
        for inputs in planned.works.values()
        for datum in inputs.datums
        if path in inputs.code
    )
    return Match(how="code", datums=code) if code else None


def _labelled(planned: PlannedCommit, word: str) -> Iterator[tuple[Pipeline, str]]:
    for pipeline in planned.tip.pipelines:
        inputs = planned.works.get(pipeline.name)
        keys = {item.label: item.key for item in inputs.keyed} if inputs else {}
        keys.update(
            (row.datum, row.key)
            for row in read_manifest(planned.tip.tree, pipeline.home).rows
            if row.datum not in keys
        )
        for label, key in keys.items():
            begins = len(word) >= 8 and key.startswith(word)
            if begins or word == pipeline.name or is_label(word, label, pipeline.name):
                yield pipeline, label


def _contains(directory: str, path: str) -> bool:
    """Whether a path is this path or below it."""
    return directory in ("", path) or path.startswith(directory + "/")


def _outputs(pipeline: Pipeline, row: Row) -> tuple[str, ...]:
    return tuple(join(pipeline.home, path) for path in row.paths)


def explain(
    planned: PlannedCommit,
    pipeline: Pipeline,
    label: str,
    open_tip: OpenTip,
    last_commit: LastCommit,
) -> Explanation:
    """Explain the plan of one datum.

    :param open_tip: opens the commit of the former results, to compare what the command saw.
    :raises OutsideError: when git ends with an error.
    """
    tip = planned.tip
    before = read_manifest(tip.tree, pipeline.home)
    row = before.row(label)
    inputs_at = inputs_commit(tip.tree, pipeline.home) if row else ""
    outputs = _outputs(pipeline, row) if row else ()
    there = [path for path in outputs if tip.tree.entry(path) is not None]
    decision = _decision(planned, pipeline, label)
    changes: tuple[Change, ...] = ()
    unknown = ""
    inputs = planned.works.get(pipeline.name)
    if row is not None and inputs is not None and decision.key and decision.key != row.key:
        old = open_tip(inputs_at) if inputs_at else None
        if old is None:
            at = inputs_at[:12] or "unknown"
            unknown = f"the results were made from commit {at}, which this clone does not have"
        else:
            changes = tuple(_changes(old, tip, inputs, label))
    return Explanation(
        pipeline=pipeline.name,
        datum=label,
        key=decision.key,
        action=decision.action,
        reason=decision.reason,
        detail=decision.detail,
        inputs_at=inputs_at,
        key_before=row.key if row else "",
        changes=changes,
        unknown=unknown,
        outputs=tuple(there),
        made=last_commit(there[0]) if there else None,
        signer=planned.signers.get(pipeline.name, "") if row else "",
        readers=tuple(
            other.name for other in tip.pipelines if pipeline in tip.pipelines.upstream(other)
        ),
    )


def _decision(planned: PlannedCommit, pipeline: Pipeline, label: str) -> Decision:
    plan = planned.plan.find(pipeline.name)
    assert plan is not None
    for decision in plan.decisions:
        if decision.label == label:
            return decision
    if plan.state in ("waiting", "blocked") or plan.reason == "trigger":
        action: Action = "blocked" if plan.state == "blocked" else "wait"
        inputs = planned.works.get(pipeline.name)
        keys = {item.label: item.key for item in inputs.keyed} if inputs else {}
        reason = plan.reason or "upstream"
        return Decision(label, keys.get(label, ""), "", action, reason, plan.detail)
    return Decision(label, "", "", "blocked", "missing-input", "there is no such datum any more")


def _changes(
    old: CommitReader, now: CommitReader, inputs: PipelineInputs, label: str
) -> Iterator[Change]:
    """Differences between what a datum's command sees now and what it saw then."""
    pipeline = inputs.pipeline
    try:
        former = next((p for p in old.pipelines if p.name == pipeline.name), pipeline)
        former = with_variables(former, recorded_variables(read_manifest(now.tree, pipeline.home)))
        then = derive_inputs(old, former)
    except TeaError:
        return
    yield from _fields(former, pipeline)
    yield from _differences("code", _code(old, then), _code(now, inputs))
    yield from _differences("input", _files(then, label), _files(inputs, label))


def _files(inputs: PipelineInputs, label: str) -> dict[str, str]:
    found = inputs.find(label)
    if found is None:
        return {}
    return {
        each.path: str(each.seen.content) if each.seen.content else "empty"
        for _, located in seen_files(inputs, found[0])
        for each in located
    }


def _code(tip: CommitReader, inputs: PipelineInputs) -> dict[str, str]:
    return {path: str(tip.locate(path).fact.content) for path in inputs.code}


def _differences(kind: str, then: dict[str, str], now: dict[str, str]) -> Iterator[Change]:
    for path in sorted({*then, *now}):
        if then.get(path) != now.get(path):
            yield Change(kind, path, then.get(path, ""), now.get(path, ""))  # type: ignore[arg-type]


def _fields(then: Pipeline, now: Pipeline) -> Iterator[Change]:
    """Fields of the pipeline file that are part of keys and have changed."""
    for each in fields(then.transform):
        if each.name in ("code", "secrets", "software"):
            continue
        a, b = getattr(then.transform, each.name), getattr(now.transform, each.name)
        if a != b:
            yield Change("field", f"transform.{each.name}", _shown(a), _shown(b))
    for name in ("view", "outputs", "output_path", "salt"):
        a, b = getattr(then, name), getattr(now, name)
        if a != b:
            yield Change("field", name.replace("output_path", "output.path"), _shown(a), _shown(b))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return "none" if value is None else repr(value)
