"""One decision: who may see and do what."""

from __future__ import annotations

import pytest

from tea_runner.core.access import STRANGER, AccessLevel, Requirement, Viewer, is_allowed, level_in

ADA = Viewer(name="ada")
OPERATOR = Viewer(is_operator=True)
MONITOR = Viewer(is_monitor=True)


@pytest.mark.parametrize(
    ("viewer", "said", "public", "level"),
    [
        (STRANGER, AccessLevel.WRITE, False, AccessLevel.NONE),
        (STRANGER, AccessLevel.NONE, True, AccessLevel.READ),
        (ADA, AccessLevel.NONE, False, AccessLevel.NONE),
        (ADA, AccessLevel.READ, False, AccessLevel.READ),
        (ADA, AccessLevel.WRITE, True, AccessLevel.WRITE),
        (ADA, AccessLevel.NONE, True, AccessLevel.READ),
        (OPERATOR, AccessLevel.NONE, False, AccessLevel.WRITE),
        (MONITOR, AccessLevel.WRITE, False, AccessLevel.NONE),
    ],
)
def test_the_forge_decides_unless_the_operator_shows_more(
    viewer: Viewer, said: AccessLevel, public: bool, level: AccessLevel
) -> None:
    """What is public can be read; nobody writes by that."""
    assert level == level_in(viewer, said, is_public=public)


#: Requirement to who meets it, with the level that is needed.
_MET = {
    Requirement.NOTHING: {STRANGER, ADA, OPERATOR, MONITOR},
    Requirement.LIST: {ADA, OPERATOR},
    Requirement.ACCOUNT: {ADA, OPERATOR},
    Requirement.READ: {OPERATOR},
    Requirement.WRITE: {OPERATOR},
    Requirement.OPERATOR: {OPERATOR},
    Requirement.METRICS: {OPERATOR, MONITOR},
}


@pytest.mark.parametrize("requirement", Requirement)
def test_each_requirement_is_met_by_these(requirement: Requirement) -> None:
    """Without a level in the repository."""
    everybody = {STRANGER, ADA, OPERATOR, MONITOR}
    assert _MET[requirement] == {each for each in everybody if is_allowed(requirement, each)}


@pytest.mark.parametrize("level", AccessLevel)
def test_a_level_includes_those_below(level: AccessLevel) -> None:
    """Who writes reads; a stranger writes nothing, whatever is public."""
    assert (level >= AccessLevel.READ) == is_allowed(Requirement.READ, ADA, level)
    assert (level >= AccessLevel.WRITE) == is_allowed(Requirement.WRITE, ADA, level)
    assert not is_allowed(Requirement.WRITE, STRANGER, level)
    assert not is_allowed(Requirement.OPERATOR, ADA, level)


def test_lists_are_open_to_strangers_where_something_is_public() -> None:
    """They contain that only."""
    assert is_allowed(Requirement.LIST, STRANGER, shows_strangers=True)
    assert not is_allowed(Requirement.ACCOUNT, STRANGER, shows_strangers=True)
