"""Random pipeline files from the table of fields give pipelines or problems, never exceptions."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.core.spec.field import Field
from tea_runner.core.spec.fields import TOP, TRANSFORM
from tea_runner.core.spec.input_fields import PFS
from tea_runner.core.spec.parse import parse_specs

LISTING = Listing(["a/b.txt", "a/c.txt", "d.txt"])

wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("/(*)"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
words = st.sampled_from(["a", "run.sh", "-x", "{}", "$1", "no"])
#: Values that are in order, for fields whose type alone does not say so.
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "glob": st.sampled_from(["/", "/*", "/(*)", "/**", "*(a)/!(b)", "/{a,d.txt}"]),
    "repo": st.sampled_from(["raw", "raw/t1", ".", "x-y"]),
    "branch": st.just("master"),
    "join_on": st.sampled_from(["$1", "x", "${1}y"]),
    "group_by": st.sampled_from(["$1", "x", "${1}y"]),
    "image": st.sampled_from(["fmriprep", "a/b@sha256:" + "0" * 64]),
    "code": st.just(["code/**"]),
    "env": st.dictionaries(st.sampled_from(["A", "_b"]), words, max_size=2),
    "output_branch": st.just("results"),
    "datum_tries": st.integers(1, 100),
    "vars": st.just([{"name": "year", "type": "integer", "default": 2026}]),
    "trigger": st.just({"commits": 3}),
    "track": st.just(False),
    "priority": st.integers(1, 100),
    "gpu": st.sampled_from([{"type": "nvidia.com/gpu", "number": 1}, {"number": 0}]),
    "secrets": st.just([{"name": "s", "env_var": "S", "key": "k"}]),
}
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "texts": st.lists(words, min_size=1, max_size=3),
    "number": st.integers(0, 10**9),
    "numbers": st.lists(st.integers(0, 255), max_size=2),
    "boolean": st.booleans(),
    "duration": st.sampled_from(["90s", "1h30m", "500ms"]),
    "bytes": st.sampled_from(["64M", "2Gi", 1000]),
    "cpu": st.sampled_from([0.5, "500m", 2]),
    "named texts": st.dictionaries(st.sampled_from(["a", "worker"]), st.sampled_from(["b", "c"])),
}
#: Written by the test itself, or at odds with one another.
APART = {"input", "pipeline", "view", "outputs", "output", "name", "transform"}


def _good(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields, with values that are in order, in either spelling."""
    optional: dict[str, st.SearchStrategy[Any]] = {}
    required: dict[str, st.SearchStrategy[Any]] = {}
    for number, known in enumerate(fields):
        if known.support not in ("works", "differs") or known.name in APART:
            continue
        if known.name in SPECIAL:
            # A copy: a test may write into it.
            value = SPECIAL[known.name].map(copy.deepcopy)
        elif known.choices:
            value = st.sampled_from(known.choices)
        else:
            value = _good(known.fields) if known.fields else SHAPES[known.shape]
        if known.required or known.name == "cmd":
            # Without a command there has to be an image, and the other way round.
            required[known.name] = value
        else:
            optional[(known.name, known.camel)[number % 2]] = value
    return st.fixed_dictionaries(required, optional=optional)


def _inputs(depth: int) -> st.SearchStrategy[Any]:
    leaf = st.fixed_dictionaries({"pfs": _good(PFS.fields)})
    if depth == 0:
        return leaf
    inner = st.lists(_inputs(depth - 1), min_size=1, max_size=3)
    kinds = st.sampled_from(["cross", "union", "join", "group"])
    return leaf | st.tuples(kinds, inner).map(lambda made: {made[0]: made[1]})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A pipeline that is in order."""
    made = {
        **draw(_good(TOP)),
        "pipeline": {"name": "p"},
        "input": draw(_inputs(2)),
        "transform": draw(_good(TRANSFORM.fields)),
    }
    for number, leaf in enumerate(_leaves(made["input"])):
        leaf["name"] = f"in{number}"
    return made


def _leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, value in node.items():
        if kind == "pfs":
            yield value
        else:
            for child in value:
                yield from _leaves(child)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_what_is_in_order_is_a_pipeline(document: dict[str, Any]) -> None:
    """Without an error, in either spelling, and its datums can be enumerated."""
    parsed = parse_specs("p/spec.json", json.dumps(document).encode())
    assert () == parsed.errors
    (pipeline,) = parsed.pipelines
    count = len(pfs_leaves(pipeline.input))
    assert len(list(_leaves(document["input"]))) == count
    enumerate_datums(pipeline, dict.fromkeys(range(count), LISTING))


@settings(max_examples=200, deadline=None)
@given(documents(), wild, st.data())
def test_one_wild_value_gives_a_pipeline_or_errors(
    document: dict[str, Any], value: Any, data: st.DataObject
) -> None:
    """Wherever it stands: a sentence with its place, never an exception."""
    container, key = data.draw(st.sampled_from(list(_places(document))))
    container[key] = value
    parsed = parse_specs("p/spec.json", json.dumps(document).encode())
    assert len(parsed.pipelines) == (0 if parsed.errors else 1)
    assert all(problem.line == 1 and problem.message for problem in parsed.problems)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """Whatever the bytes are."""
    parsed = parse_specs("spec.yml", data)
    assert parsed.pipelines or parsed.problems
