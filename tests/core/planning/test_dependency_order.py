"""The order of pipelines, and what is said of a circle."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.planning.dependency_order import Cycle, downstream, order

graphs = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3))


def test_each_comes_after_what_it_reads() -> None:
    """Among those that are ready, the name decides."""
    assert ("a", "d", "c", "b") == order(["a", "b", "c", "d"], {"b": ["c"], "c": ["d", "a"]})


def test_names_from_elsewhere_do_not_count() -> None:
    """What is read but is no pipeline has no place in the order."""
    assert ("a", "b") == order(["b", "a"], {"a": ["raw"], "b": ["a", "a"]})


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ({"a": ["a"]}, "cycle: a → a"),
        ({"a": ["b"], "b": ["a"]}, "cycle: a → b → a"),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, "cycle: a → b → c → a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "cycle: b → c → b"),
        ({"x": ["b"], "b": ["c"], "c": ["b"]}, "cycle: b → c → b"),
    ],
)
def test_a_cycle_is_named_in_full(upstream: dict[str, list[str]], expected: str) -> None:
    """Every pipeline on it, in the order in which results would flow, and none that is not."""
    with pytest.raises(Cycle) as caught:
        order(upstream, upstream)
    assert expected == caught.value.message.split(";")[0]


def test_downstream_is_all_that_would_change() -> None:
    """Directly or through others."""
    upstream = {"b": ["a"], "c": ["b"], "d": ["x"]}
    assert ("b", "c") == downstream(["a"], upstream)
    assert () == downstream(["c"], upstream)
    assert ("b", "c", "d") == downstream(["x", "a"], upstream)


@given(graphs)
def test_order_agrees_with_the_standard_library(upstream: dict[str, list[str]]) -> None:
    """There is an order exactly where graphlib finds one, and a cycle is really one."""
    names = sorted(set(upstream).union(*upstream.values()))
    try:
        list(TopologicalSorter(upstream).static_order())
    except CycleError:
        with pytest.raises(Cycle) as caught:
            order(names, upstream)
        circle = caught.value.names
        assert all(
            circle[index] in upstream[circle[(index + 1) % len(circle)]]
            for index in range(len(circle))
        )
        return
    found = order(names, upstream)
    assert sorted(found) == names
    assert all(found.index(o) < found.index(n) for n, others in upstream.items() for o in others)
