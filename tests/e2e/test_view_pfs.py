"""What ``/pfs`` shows a command: the inputs of its datum, and nothing of the pipeline's others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, Step, pfs, push, spec, tree

Counted = tuple[str, Callable[[], int]]
#: Writes the names below ``/pfs``, and which variables of inputs are set.
LOOK = (
    'ls "$PFS" > "$PFS/out/$(basename "$PFS"/[!o]*/*)"; '
    'for n in left right; do eval "echo $n=\\${$n+set},\\${${n}_COMMIT+set}"; done '
    '>> "$PFS/out/$(basename "$PFS"/[!o]*/*)"'
)


def member(name: str, **more: object) -> dict[str, object]:
    """An input of this name from the folder of the same name."""
    return pfs(name, "/(*)", name=name, **more)


@pytest.mark.long
def test_a_missing_side_of_an_outer_join_is_absent(lab: Lab) -> None:
    """Its folder is not there and its variables are unset, so a command can tell the sides apart."""
    sides = [member(name, join_on="$1", outer_join=True) for name in ("left", "right")]
    files = {"left/a": "1\n", "left/b": "2\n", "right/b": "3\n", "right/c": "4\n"}
    look = LOOK.replace("basename", "basename -a").replace("/*)", "/* | head -1)")
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", look, {"join": sides})})

    assert "settled" == push(lab, lambda: 0).state
    assert {
        "up/a": "left\nout\nleft=set,set\nright=,\n",
        "up/b": "left\nout\nright\nleft=set,set\nright=set,set\n",
        "up/c": "out\nright\nleft=,\nright=set,set\n",
    } == tree(lab, "up")


@pytest.mark.long
def test_a_datum_of_a_union_shows_its_own_member_only(lab: Lab, counted: Counted) -> None:
    """So a member that is added changes nothing for the datums of the others."""
    echo, count = counted
    files = {"left/a": "1\n", "right/b": "2\n", "third/c": "3\n"}

    def up(*names: str) -> str:
        return spec("up", f"{echo}; {LOOK}", {"union": [member(name) for name in names]})

    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": up("left", "right")})
    assert Step(2, True, "settled") == push(lab, count)
    before = tree(lab, "up")
    assert {
        "up/a": "left\nout\nleft=set,set\nright=,\n",
        "up/b": "out\nright\nleft=,\nright=set,set\n",
    } == before

    assert Step(1, True, "settled") == push(
        lab, count, {"up/spec.yml": up("left", "right", "third")}
    )
    assert {**before, "up/c": "out\nthird\nleft=,\nright=,\n"} == tree(lab, "up")
