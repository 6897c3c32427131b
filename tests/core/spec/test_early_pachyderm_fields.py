"""Pipeline files of early Pachyderm versions are read as files of today."""

from __future__ import annotations

import json

import pytest

from tea_runner.core.pipeline import Combined, Pfs, Pipeline
from tea_runner.core.spec.parse import ParsedSpecs, parse_specs


def _parse(inputs: object, **more: object) -> ParsedSpecs:
    document = {"pipeline": {"name": "p"}, "transform": {"cmd": ["x"]}, "inputs": inputs, **more}
    return parse_specs("p/spec.json", json.dumps(document).encode())


def _pipeline(inputs: object, **more: object) -> Pipeline:
    (found,) = _parse(inputs, **more).pipelines
    return found


@pytest.mark.parametrize(
    ("method", "glob"),
    [
        ("map", "/*"),
        ("reduce", "/*"),
        ("global", "/"),
        ({"partition": "FILE", "incremental": "NONE"}, "/*"),
        ({"partition": "REPO", "incremental": "NONE"}, "/"),
    ],
)
def test_a_method_is_a_glob(method: object, glob: str) -> None:
    """One datum for each file, or one for the whole repo."""
    (leaf,) = _leaves(_pipeline([{"repo": {"name": "raw"}, "method": method}]))

    assert ("raw", glob) == (leaf.repo, leaf.glob)


def test_several_inputs_are_crossed() -> None:
    """Each with its own name."""
    pipeline = _pipeline(
        [{"repo": {"name": "a"}}, {"repo": {"name": "b"}, "name": "c", "method": "global"}]
    )

    assert isinstance(pipeline.input, Combined)
    assert [("a", "a", "/*"), ("b", "c", "/")] == [
        (leaf.repo, leaf.name, leaf.glob) for leaf in _leaves(pipeline)
    ]


def test_the_older_name_is_told() -> None:
    """A deprecation, at the line of the list."""
    (problem,) = _parse([{"repo": {"name": "raw"}}]).problems

    assert ("deprecation", "inputs", "inputs is an older name of input") == (
        problem.kind,
        problem.key,
        problem.message,
    )


@pytest.mark.parametrize("inputs", [[], {}, "raw", ["raw"], [{"method": "map"}], [{"repo": {}}]])
def test_what_is_no_such_list_is_refused(inputs: object) -> None:
    """Never with a crash."""
    assert _parse(inputs).errors


def test_both_names_are_refused() -> None:
    """It would be open which of them counts."""
    both = _parse([{"repo": {"name": "a"}}], input={"pfs": {"repo": "b", "glob": "/"}})

    assert ["inputs"] == [problem.key for problem in both.errors]


def test_a_number_of_graphics_processors_is_a_mapping_today() -> None:
    """``gpu: 1`` of Pachyderm 1.7."""
    inputs = [{"repo": {"name": "raw"}}]

    assert _pipeline(inputs, resource_limits={"gpu": 1}).limits.gpu_number == 1


def _leaves(pipeline: Pipeline) -> tuple[Pfs, ...]:
    source = pipeline.input
    leaves = source.inputs if isinstance(source, Combined) else (source,)
    return tuple(leaf for leaf in leaves if isinstance(leaf, Pfs))
