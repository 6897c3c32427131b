"""Accounts of a forge: memory, a folder, the embedded forge, a real Gitea, and documented forges."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.access import AccessLevel
from tea_runner.core.errors import ForgeError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.folder_without_accounts import FolderAccounts
from tea_runner.forge.forge_kinds import ForgeConnection, make_accounts
from tea_runner.forge.gitea_accounts import GiteaAccounts
from tea_runner.ports import ForgeAccounts
from tests import gitea as real
from tests.contracts.forge_sides import DOCUMENTED
from tests.documented_forges.served import DocumentedForge
from tests.twins.accounts import MemoryAccounts

WRONG = "token " + "0" * 40


@dataclass
class Side:
    """A forge with a repository, and an account that owns it."""

    accounts: ForgeAccounts
    repository: str
    #: Name and credential of the owner, and of somebody else.
    owner: tuple[str, str] = ("", WRONG)
    other: tuple[str, str] = ("", WRONG)
    #: What somebody else may do there.
    others: AccessLevel = AccessLevel.NONE
    stop: Callable[[], object] | None = None


def _memory() -> Side:
    accounts = MemoryAccounts()
    owner, other = (accounts.add(name, f"{name}-token") for name in ("ada", "eve"))
    accounts.let("ada", "ada/edges", AccessLevel.WRITE)
    return Side(
        accounts,
        "ada/edges",
        ("ada", owner),
        ("eve", other),
        stop=lambda: setattr(accounts, "reachable", False),
    )


def person(gitea: real.Gitea, name: str) -> tuple[str, str]:
    """A new account of a real Gitea; returns its name and a credential."""
    name, password = f"{name}-{secrets.token_hex(4)}", secrets.token_hex(12)
    fields = {"username": name, "email": f"{name}@example.org", "password": password}
    gitea.api("POST", "/admin/users", {**fields, "must_change_password": False})
    scopes = "read:repository,read:user"
    return name, f"token {real.make_token(gitea, name, scopes)}"


def _gitea(gitea: real.Gitea) -> Side:
    (owner, credential), other = person(gitea, "ada"), person(gitea, "eve")
    gitea.api("POST", f"/admin/users/{owner}/repos", {"name": "edges", "private": True})
    accounts: Any = GiteaAccounts(gitea.url)

    def stop() -> None:
        accounts._url = "http://127.0.0.1:9"

    return Side(accounts, f"{owner}/edges", (owner, credential), other, stop=stop)


def _documented(kind: str, forge: DocumentedForge) -> Side:
    accounts: Any = make_accounts(kind, ForgeConnection(url=forge.url))
    name = forge.add("ada", "edges", private=True)
    owner, other = ((each, f"token {forge.tokens[each]}") for each in ("ada", "eve"))

    def stop() -> None:
        accounts._url = "http://127.0.0.1:9"

    return Side(accounts, name, owner, other, stop=stop)


@pytest.fixture(
    params=[
        "memory",
        "folder",
        "embedded",
        *DOCUMENTED,
        pytest.param("gitea", marks=pytest.mark.gitea),
    ]
)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each implementation in turn."""
    if request.param == "memory":
        yield _memory()
    elif request.param == "folder":
        yield Side(FolderAccounts(), "ada/edges")
    elif request.param in DOCUMENTED:
        with DOCUMENTED[request.param][0](tmp_path / "forge") as served:
            yield _documented(request.param, served)
    elif request.param == "embedded":
        with EmbeddedForge(tmp_path / "forge", path=os.environ["PATH"]) as forge:
            people = []
            for name in ("ada", "eve"):
                forge.add_user(name, "correct horse")
                people.append((name, f"token {forge.add_token(name)}"))
            forge.create_repository("ada", "edges")
            accounts: Any = GiteaAccounts(forge.url)

            def stop() -> None:
                accounts._url = "http://127.0.0.1:9"

            yield Side(accounts, "ada/edges", *people, others=AccessLevel.READ, stop=stop)
    else:
        yield _gitea(request.getfixturevalue("gitea"))


def test_an_account_has_a_name(side: Side) -> None:
    """That of its credential."""
    for name, credential in (side.owner, side.other):
        assert name == side.accounts.name(credential)


@pytest.mark.parametrize(
    "credential", [WRONG, "", "token", "token ", "Bearer x\r\nHost: evil", "Digest x", "token \xff"]
)
def test_what_is_no_credential_is_nobodys(side: Side, credential: str) -> None:
    """No name, and no repository."""
    assert "" == side.accounts.name(credential)
    assert {side.repository: AccessLevel.NONE} == side.accounts.levels(
        credential, [side.repository]
    )


def test_owners_write_and_others_do_what_they_may(side: Side) -> None:
    """What does not exist nobody may read; several are answered at once."""
    expected = AccessLevel.WRITE if side.owner[0] else AccessLevel.NONE
    asked = [side.repository, "ada/none", "no-one/none", "..", "a/b/c", ""]
    nothing = dict.fromkeys(asked, AccessLevel.NONE)
    assert {**nothing, side.repository: expected} == side.accounts.levels(side.owner[1], asked)
    assert {**nothing, side.repository: side.others} == side.accounts.levels(side.other[1], asked)
    assert {} == side.accounts.levels(side.owner[1], [])


def test_a_forge_that_does_not_answer_says_nothing(side: Side) -> None:
    """The error names no repository."""
    if side.stop is None:
        pytest.skip("a folder always answers")
    side.stop()
    with pytest.raises(ForgeError) as name:
        side.accounts.name(side.owner[1])
    with pytest.raises(ForgeError) as levels:
        side.accounts.levels(side.owner[1], [side.repository])
    assert "edges" not in name.value.message + levels.value.message


@pytest.mark.gitea
def test_members_of_an_organisation_read_by_their_teams(gitea: real.Gitea) -> None:
    """A private repository: a team that reads code, one that writes it, one with issues only, and nobody."""
    org = f"org-{secrets.token_hex(4)}"
    gitea.api("POST", "/orgs", {"username": org, "visibility": "private"})
    gitea.api("POST", f"/orgs/{org}/repos", {"name": "secret", "private": True})
    people = {name: person(gitea, name) for name in ("reads", "writes", "talks", "none")}
    units = {
        "reads": {"repo.code": "read"},
        "writes": {"repo.code": "write"},
        "talks": {"repo.issues": "write"},
    }
    for team, units_map in units.items():
        about = {"name": team, "units_map": units_map, "permission": "read"}
        made = gitea.api("POST", f"/orgs/{org}/teams", {**about, "includes_all_repositories": True})
        gitea.api("PUT", f"/teams/{made['id']}/members/{people[team][0]}")
    accounts = GiteaAccounts(gitea.url)
    found = {
        team: accounts.levels(credential, [f"{org}/secret"])[f"{org}/secret"]
        for team, (_, credential) in people.items()
    }
    expected = {
        "reads": AccessLevel.READ,
        "writes": AccessLevel.WRITE,
        "talks": AccessLevel.NONE,
        "none": AccessLevel.NONE,
    }
    assert expected == found


@pytest.mark.gitea
def test_a_token_without_scopes_for_repositories_reads_none(gitea: real.Gitea) -> None:
    """Not even those of its own account."""
    name, _ = person(gitea, "ada")
    gitea.api("POST", f"/admin/users/{name}/repos", {"name": "edges", "private": True})
    credential = f"token {real.make_token(gitea, name, 'read:user')}"
    accounts = GiteaAccounts(gitea.url)
    assert name == accounts.name(credential)
    assert {f"{name}/edges": AccessLevel.NONE} == accounts.levels(credential, [f"{name}/edges"])


@pytest.mark.gitea
def test_a_renamed_repository_is_asked_for_by_its_new_name(gitea: real.Gitea) -> None:
    """The forge leads there; the account is still the same."""
    (name, credential), (_, other) = person(gitea, "ada"), person(gitea, "eve")
    gitea.api("POST", f"/admin/users/{name}/repos", {"name": "edges", "private": True})
    gitea.api("PATCH", f"/repos/{name}/edges", {"name": "corners"})
    accounts = GiteaAccounts(gitea.url)
    assert {f"{name}/edges": AccessLevel.WRITE} == accounts.levels(credential, [f"{name}/edges"])
    assert {f"{name}/edges": AccessLevel.NONE} == accounts.levels(other, [f"{name}/edges"])
