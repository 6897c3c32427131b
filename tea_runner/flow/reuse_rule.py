"""The rule that decides which signed results count for a pipeline, made from its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tea_runner.core.datums.content_identity import GIT, Content
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.run_conditions import ReuseRule, RunScope, parse_conditions
from tea_runner.core.results.signed_manifest_row import SignedResult
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs

#: Hexadecimal digits of a SHA-1 object id.
_SHA1 = 40


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """What counts as a known result of one pipeline on one branch."""

    rule: ReuseRule
    #: Whether an input or code file of the datum with this key is identified by an unsafe hash only,
    #: although the operator requires safe ones.
    weak: Callable[[str], bool] = lambda _: False

    def __call__(self, found: SignedResult) -> bool:
        """Whether a signed result counts."""
        return self.rule.accepts(
            found.ran, found.state, own=found.own, weak=self._weak(found.ran.scope, found.key)
        )

    def accepts_row(self, row: Row) -> bool:
        """Whether a row of the signed manifest at the planned commit counts."""
        ran = parse_conditions(row.ran)
        return ran is not None and self.rule.accepts(
            ran, row.state, own=True, weak=self._weak(ran.scope, row.key)
        )

    def _weak(self, scope: str, key: str) -> bool:
        return scope == "branch" and self.weak(key)


def acceptance_of(
    inputs: PipelineInputs, *, tip: CommitReader, reader: RunScope, reuse_branches: bool
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


def _weak_datums(inputs: PipelineInputs, tip: CommitReader) -> Callable[[str], bool]:
    """A test of a key: whether safe hashes are required and the datum has an unsafe identity."""
    if not tip.tree.cache.strict_hashes:
        return lambda _: False

    def is_weak(key: str) -> bool:
        shared = (*inputs.code, inputs.image)
        if any(path and _is_unsafe(tip.fact(path).content) for path in shared):
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
