"""Who may do what in a repository of Gitea or Forgejo, from the answers of the API.

Gitea matches branches with its rules itself and says of each whether it is protected.  The rules can be
read by administrators of the repository only: where the bot is one, a rule by which everybody who may
push to the repository may push to the branch does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience, Visibility

#: Of a repository that is not private, by the visibility of its owner.
_VISIBILITY: Mapping[object, Visibility] = {
    "public": "public",
    "limited": "users",
    "private": "organization",
}


def parse_protection(
    repository: Mapping[str, Any], branches: Iterable[Mapping[str, Any]], open_rules: Iterable[str]
) -> BranchProtection:
    """The branches of a repository.

    :param open_rules: names of rules that do not count.
    """
    rows, rules = list(branches), set(open_rules)
    return BranchProtection(
        default=str(repository.get("default_branch") or ""),
        branches=frozenset(str(row["name"]) for row in rows),
        protected=frozenset(
            str(row["name"])
            for row in rows
            if row.get("protected") is True
            and (row.get("effective_branch_protection_name") or None) not in rules
        ),
    )


def open_rules(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the rules that leave a branch to everybody who may push to the repository."""
    return [
        str(rule.get("rule_name") or rule.get("branch_name"))
        for rule in rules
        if rule.get("enable_push") is True and rule.get("enable_push_whitelist") is not True
    ]


def visibility(repository: Mapping[str, Any]) -> Visibility:
    """How widely a repository can be read.

    :raises ForgeError: when the answer does not say so.
    """
    owner = repository.get("owner") or {}
    if repository.get("private") is True:
        return "private"
    found = _VISIBILITY.get(owner.get("visibility"))
    if repository.get("private") is not False or found is None:
        name = repository.get("full_name", "")
        raise ForgeError(f"the forge does not say who may read {name}")
    return found


def parse_audience(
    repository: Mapping[str, Any],
    collaborators: Callable[[], Iterable[Mapping[str, Any]]],
    teams: Callable[[], Iterable[Mapping[str, Any]] | None],
    bot: str,
) -> Audience:
    """The readers of a repository.

    :param collaborators: asks for the users who were invited.
    :param teams: asks for the teams; None when the owner is a user.
    :param bot: name of the account that asks, which is no reader in this sense.
    :raises ForgeError: when the answers do not say it.
    """
    wide = visibility(repository)
    owner = str(repository["owner"]["login"]).lower()
    if wide in ("public", "users"):
        return Audience(visibility=wide, owner=owner)
    found = teams()
    people = {str(row["login"]).lower() for row in collaborators()}
    if found is None:
        people.add(owner)
    return Audience(
        visibility=wide,
        owner=owner,
        people=frozenset(people - {bot.lower()}),
        teams=frozenset(int(team["id"]) for team in found or () if _reads_code(team)),
    )


def _reads_code(team: Mapping[str, Any]) -> bool:
    units = team.get("units_map")
    if isinstance(units, dict):
        return bool(units.get("repo.code", "none") != "none")
    if isinstance(team.get("units"), list):
        return "repo.code" in team["units"]
    raise ForgeError(f"the forge does not say what team {team.get('name')} may read")
