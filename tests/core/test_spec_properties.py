"""Pipeline files made at random from real field names: always pipelines or problems."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.datums import enumerate_datums
from tea_runner.core.listing import Listing
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.core.spec import parse_specs
from tea_runner.core.specfields import TOP, Field

LISTING = Listing(["a/b.txt", "a/c.txt", "d.txt"])

wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("/(*)"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
texts = st.sampled_from(["/", "/*", "/(*)", "a", "$1", "raw/t1", "x-y", "name", "[", "", "out"])


def _value(known: Field, depth: int) -> st.SearchStrategy[Any]:
    """Mostly what the field wants, sometimes anything."""
    right: st.SearchStrategy[Any]
    if known.shape == "mapping":
        right = _mapping(known.fields, depth)
    elif known.shape == "mappings":
        right = st.lists(_mapping(known.fields, depth), max_size=2)
    elif known.shape == "inputs":
        inner = next(field for field in TOP if field.name == "input").fields
        right = st.lists(_mapping(inner, depth - 1), max_size=2) if depth else st.just([])
    elif known.shape == "texts":
        right = st.lists(texts, max_size=3)
    elif known.shape == "named texts":
        right = st.dictionaries(texts, texts, max_size=2)
    elif known.shape == "boolean":
        right = st.booleans()
    elif known.shape == "number":
        right = st.integers(0, 200)
    elif known.shape == "numbers":
        right = st.lists(st.integers(0, 300), max_size=2)
    elif known.choices:
        right = st.sampled_from(known.choices)
    else:
        right = texts | st.sampled_from(["90s", "1h", "64M", "2", "500m"])
    return st.one_of(right, right, right, right, wild)


def _mapping(fields: tuple[Field, ...], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {known.name: _value(known, depth) for known in fields if known.required}
    useful = [known for known in fields if known.standing in ("works", "differs")]
    some = st.sampled_from(useful or list(fields)).flatmap(
        lambda known: st.tuples(st.sampled_from([known.name, known.camel]), _value(known, depth))
    )
    return st.builds(
        lambda first, rest: {**first, **dict(rest)},
        st.fixed_dictionaries(required),
        st.lists(some, min_size=1 if not required else 0, max_size=2),
    )


@settings(max_examples=400, deadline=None)
@given(_mapping(TOP, 2))
def test_a_file_is_pipelines_or_problems(document: dict[str, Any]) -> None:
    """Never an exception; what comes out as a pipeline can be enumerated."""
    parsed = parse_specs("p/spec.json", json.dumps(document).encode())
    assert len(parsed.pipelines) == (0 if parsed.errors else 1)
    for problem in parsed.problems:
        assert problem.line == 1
        assert problem.message
    for pipeline in parsed.pipelines:
        leaves = pfs_leaves(pipeline.input)
        enumerate_datums(pipeline, dict.fromkeys(range(len(leaves)), LISTING))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """Whatever the bytes are."""
    parsed = parse_specs("spec.yml", data)
    assert parsed.pipelines or parsed.problems
