"""Pipelines that change one another's inputs in a circle are stopped; a push or a retry goes on."""

from __future__ import annotations

import pytest

from tests.twins.files import Content
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN
from tests.twins.specs import pfs, spec

#: Each reads a folder inside of the other's: no pipeline is named, so no cycle is seen.
_CIRCLE = {
    "b/x/seed": "1",
    "a/spec.yml": spec("a", pfs("b/x", "/")),
    "b/spec.yml": spec("b", pfs("a/x", "/")),
}
_SAID = (
    "this branch does not settle: a and b published 5 times since the last push; let no pipeline "
    "change another one's inputs in a circle, then push or use tea-runner retry"
)


@pytest.fixture
def lab() -> MemoryLab:
    """A dataset whose commands are functions; a pipeline may be published five times."""
    return MemoryLab()


def _command(_: str, key: str) -> dict[str, Content]:
    return {"x/made": key}


def test_a_branch_that_never_settles_is_stopped(lab: MemoryLab) -> None:
    """The status names the pipelines; nothing more is published or computed however often it is planned."""
    lab.push(_CIRCLE)
    done, _ = lab.settle(command=_command)
    states = {name: (p.state, p.detail) for name, p in done.pipelines.items()}
    assert {"a": ("failed", _SAID), "b": ("settled", "")} == states
    assert 11 == len(lab.log())

    done, computed = lab.settle(command=_command)
    assert (11, []) == (len(lab.log()), computed)
    assert "failed" == done.pipelines["a"].state


def test_a_push_goes_on(lab: MemoryLab) -> None:
    """Whatever the person changed, the count starts anew; other branches have their own tips."""
    lab.push(_CIRCLE)
    lab.settle(command=_command)
    lab.push({"README": "x"})
    lab.settle(command=_command)
    assert 11 + 1 + 10 == len(lab.log())


def test_a_mended_circle_settles(lab: MemoryLab) -> None:
    """The next push removes one of the two."""
    lab.push(_CIRCLE)
    lab.settle(command=_command)
    lab.push({"b/spec.yml": None})
    done, _ = lab.settle(command=_command)
    assert {"a": "settled"} == {name: p.state for name, p in done.pipelines.items()}


def test_a_chain_is_published_once_for_each_push(lab: MemoryLab) -> None:
    """However many pushes there are, no limit is met."""
    for number in range(12):
        lab.push({**CHAIN, "raw/a": str(number)})
        done, _ = lab.settle()
        assert {"settled"} == {p.state for p in done.pipelines.values()}


def test_requests_of_people_are_not_counted(lab: MemoryLab) -> None:
    """Results that are recomputed again and again are published each time."""
    lab.push({"raw/a": "1", "copy/spec.yml": spec("copy")})
    lab.settle(recompute=True)
    for number in range(12):
        lab.recompute.add(["copy"], f"r{number}")
        done, _ = lab.settle(
            command=lambda label, key, n=number: {"out": f"{n} {key}"}, recompute=True
        )
        assert "settled" == done.pipelines["copy"].state
    assert 12 < len(lab.log())
