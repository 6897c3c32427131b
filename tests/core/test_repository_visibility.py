"""Whether everybody who may read one repository may read another; what is not known is a no."""

from __future__ import annotations

import itertools

import pytest

from tea_runner.core.repository_visibility import Audience

PUBLIC = Audience(visibility="public")
USERS = Audience(visibility="users", owner="lab")
LAB = Audience(visibility="organization", owner="lab")
TEAM = Audience(visibility="private", owner="lab", teams=frozenset({1}))
ADA = Audience(visibility="private", owner="ada", people=frozenset({"ada"}))


def _private(*people: str, owner: str = "ada", teams: tuple[int, ...] = ()) -> Audience:
    return Audience(
        visibility="private", owner=owner, people=frozenset(people), teams=frozenset(teams)
    )


@pytest.mark.parametrize("audience", [PUBLIC, USERS, LAB, TEAM, ADA])
def test_an_audience_holds_itself(audience: Audience) -> None:
    """A dataset reads its equals."""
    assert "" == audience.lacks(audience)


def test_a_wider_audience_holds_a_narrower_one_and_not_the_reverse() -> None:
    """Everybody, all users, an organization, one of its teams."""
    for wide, narrow in itertools.combinations((PUBLIC, USERS, LAB, TEAM), 2):
        assert ("", True) == (wide.lacks(narrow), bool(narrow.lacks(wide))), (wide, narrow)


@pytest.mark.parametrize(
    ("subdataset", "dataset", "lacking"),
    [
        (ADA, _private("ada", "eve"), "user eve"),
        (_private("ada", "bob"), _private("ada", "bob"), ""),
        (_private("ada", "bob"), _private("bob", owner="bob"), ""),
        (ADA, _private("bob", owner="bob"), "user bob"),
        (ADA, TEAM, "a team of lab"),
        (TEAM, _private(owner="lab", teams=(1, 2)), "a team of lab"),
        (_private(owner="lab", teams=(1, 2)), TEAM, ""),
        (_private(owner="other", teams=(1,)), TEAM, "a team of lab"),
        (LAB, _private("guest", owner="lab", teams=(1,)), "user guest"),
        (LAB, _private("guest", owner="lab", teams=(7,)), "user guest"),
        (LAB, Audience(visibility="organization", owner="other"), "the members of other"),
        (TEAM, LAB, "the members of lab"),
        (LAB, ADA, "user ada"),
    ],
)
def test_people_and_teams_are_compared(
    subdataset: Audience, dataset: Audience, lacking: str
) -> None:
    """Each reader of the dataset must be named by the subdataset as well."""
    assert lacking == subdataset.lacks(dataset)
