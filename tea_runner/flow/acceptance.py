"""The rule that decides which signed results count for a pipeline, made from its inputs."""

from __future__ import annotations

from collections.abc import Callable

from tea_runner.core.datums.content_identity import GIT, Content
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.run_conditions import ReuseRule, RunScope
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs
from tea_runner.flow.prove_results import Acceptance

#: Hexadecimal digits of a SHA-1 object id.
_SHA1 = 40


def acceptance_of(
    inputs: PipelineInputs, *, tip: CommitView, reader: RunScope, reuse_branches: bool
) -> Acceptance:
    """What counts as a known result of a pipeline.

    :param tip: the planned commit.
    :param reader: kind of the branch that is planned.
    :param reuse_branches: whether results of untrusted branches may count elsewhere.
    """
    rule = reuse_rule(inputs.pipeline, reader=reader, reuse_branches=reuse_branches)
    return Acceptance(rule=rule, weak=_weak_datums(inputs, tip))


def reuse_rule(pipeline: Pipeline, *, reader: RunScope, reuse_branches: bool) -> ReuseRule:
    """The rule of a pipeline; see :func:`acceptance_of`."""
    return ReuseRule(
        reader=reader,
        branches=reuse_branches,
        memory=pipeline.limits.memory,
        timeout=pipeline.datum_timeout,
    )


def _weak_datums(inputs: PipelineInputs, tip: CommitView) -> Callable[[str], bool]:
    """A test of a key: whether safe hashes are required and the datum has an unsafe identity."""
    if not tip.tree.cache.strict_hashes:
        return lambda _: False

    def is_weak(key: str) -> bool:
        shared = (*inputs.code, inputs.image)
        if any(path and _is_unsafe(tip.files.fact(path).content) for path in shared):
            return True
        label = next((item.label for item in inputs.keyed if item.key == key), None)
        if label is None:
            return True
        shown = inputs.view(inputs.datum(label)).files
        facts = (inputs.sources[each.input].fact(each.path) for each in shown)
        return any(_is_unsafe(fact.content) for fact in facts)

    return is_weak


def _is_unsafe(content: Content) -> bool:
    return content.is_forgeable or (content.algorithm == GIT and len(content.digest) == _SHA1)
