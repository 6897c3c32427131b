"""Values of variables: which a pipeline has at a commit.

What a person has set is in the book of the branch, and once there are results, in their manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import Plan
from tea_runner.core.planning.recorded_environment import recorded_variables
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.variable_values import all_values, still_valid
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_manifest import read_manifest


def resolve_variables(
    tip: CommitReader, pipeline: Pipeline, before: Manifest | None = None
) -> Pipeline:
    """The pipeline with the values of its variables; the same one if it has them, or no variable.

    :param before: the manifest at the commit, if it has been read.
    """
    if not pipeline.variables or pipeline.given is not None:
        return pipeline
    given = tip.tree.variables.get(pipeline.name)
    if given is None:
        given = recorded_variables(
            read_manifest(tip.tree, pipeline.home) if before is None else before
        )
    return with_variables(pipeline, given)


def with_variables(pipeline: Pipeline, given: Mapping[str, str]) -> Pipeline:
    """The pipeline with these values, as far as its file allows them, and the defaults of the others."""
    if not pipeline.variables or pipeline.given is not None:
        return pipeline
    valid = still_valid(pipeline.variables, given)
    env = {**dict(pipeline.transform.env), **all_values(pipeline.variables, dict(valid))}
    transform = replace(pipeline.transform, env=tuple(sorted(env.items())))
    return replace(pipeline, transform=transform, given=valid)


def without_published(tip: CommitReader, book: TickBook, plan: Plan) -> TickBook:
    """The book without the values that results have: from then on, what results say counts.

    Costs the manifests of pipelines with a value in the book.
    """
    for name, given in book.variables.items():
        row = plan.find(name)
        if row is None or row.state != "settled" or row.reason is not None:
            continue
        if recorded_variables(read_manifest(tip.tree, row.pipeline.home)) == dict(given):
            book = book.without_variables(name)
    return book
