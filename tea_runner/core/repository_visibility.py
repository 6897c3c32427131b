"""Who may read a repository, as far as a forge says, and whether others are among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: public: everybody.  users: whoever has an account on the forge.  organization: the members of the
#: owner.  private: those who were invited.
Visibility = Literal["public", "users", "organization", "private"]


@dataclass(frozen=True, kw_only=True)
class Audience:
    """The readers of one repository.

    :param owner: a user, or an organization, whose members are readers by their teams only.
    :param people: users who may read it, one by one.
    :param teams: the forge's ids of the teams of the owner whose members may read its code.
    """

    visibility: Visibility
    owner: str = ""
    people: frozenset[str] = frozenset()
    teams: frozenset[int] = frozenset()

    def lacks(self, other: Audience) -> str:
        """Some of *other* who are not in this audience, in words; empty when all are.

        What is not known for sure counts as lacking.
        """
        if self.visibility == "public":
            return ""
        if other.visibility == "public":
            return "everybody"
        if self.visibility == "users":
            return ""
        if other.visibility == "users":
            return "all users of the forge"
        members = self.visibility == "organization" and self.owner == other.owner
        if other.visibility == "organization" and not members:
            return f"the members of {other.owner}"
        people = other.people - self.people
        if people:
            return f"user {min(people)}"
        if (
            other.teams
            and not members
            and not (self.owner == other.owner and other.teams <= self.teams)
        ):
            return f"a team of {other.owner}"
        return ""
