"""Somebody who may push to one repository names another one, which the bot may read and he may not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.repository_visibility import Audience
from tea_runner.forge.gitea import GiteaForge
from tests.e2e.pipelines import COPY, pfs, spec
from tests.gitea import Gitea
from tests.hostile.neighbours import ADA, PUBLIC, Neighbours


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Neighbours]:
    """A server with nothing to do yet."""
    made = Neighbours(tmp_path)
    yield made
    made.forge.close()


def reads(**pins: str) -> dict[str, Any]:
    """Files of a dataset whose pipeline copies a file out of these subdatasets' folders ``raw``."""
    modules = "".join(
        f'[submodule "{name}"]\n\tpath = {name}\n\turl = ../{name}.git\n' for name in pins
    )
    first = next(iter(pins))
    return {
        ".gitattributes": "* annex.largefiles=nothing\n",
        ".gitmodules": modules,
        "up/spec.yml": spec("up", COPY, pfs(f"{first}/raw")),
        **{name: {"submodule": pin} for name, pin in pins.items()},
    }


TOLD = {"raw/a.txt": "told to few\n"}


@pytest.mark.parametrize(
    ("branch", "text"),
    [
        ("main", "not everybody who may read lab/open may read (everybody)"),
        ("feature", "no trusted branch of lab/open has as a subdataset"),
    ],
)
def test_a_subdataset_with_fewer_readers_is_not_read(
    lab: Neighbours, branch: str, text: str
) -> None:
    """Nor from a trusted branch: everybody could read what is computed from it."""
    pin = lab.make("secret", ADA, TOLD)
    lab.make("open", PUBLIC)
    lab.branch("open", branch, reads(secret=pin))

    met = lab.meet("open", branch)

    assert {} == met.outputs
    assert text in met.said


def test_a_link_is_no_way_into_a_subdataset_with_fewer_readers(lab: Neighbours) -> None:
    """Of a file of an input, or as the input."""
    pin = lab.make("secret", ADA, TOLD)
    lab.make("open", PUBLIC)
    for branch, files in (
        (
            "main",
            {"in/a": {"link": "../secret/raw/a.txt"}, "up/spec.yml": spec("up", COPY, pfs("in"))},
        ),
        ("other", {"in": {"link": "secret/raw"}, "up/spec.yml": spec("up", COPY, pfs("in"))}),
    ):
        lab.branch("open", branch, {**reads(secret=pin), **files})

        met = lab.meet("open", branch)

        assert {} == met.outputs
        assert "lab/secret" in met.said


def test_readers_in_common_may_combine_what_they_read(lab: Neighbours) -> None:
    """Until one of them may not read the subdataset any more."""
    both = Audience(visibility="private", owner="lab", people=frozenset({"ada", "eve"}))
    pin = lab.make("secret", both, TOLD)
    lab.make("open", both, reads(secret=pin))
    assert {"up/a.txt": b"told to few\n"} == lab.meet("open").outputs

    lab.change("secret", ADA)
    lab.branch(
        "open",
        "main",
        reads(secret=pin) | {"up/spec.yml": spec("up", f": ; {COPY}", pfs("secret/raw"))},
    )
    met = lab.meet("open")
    assert ("", True) == ("".join(met.outputs), "user eve" in met.said)


def test_an_untrusted_branch_reads_what_a_trusted_branch_reads(lab: Neighbours) -> None:
    """A repository with the same readers, which no trusted branch names, stays out of its reach."""
    pin, other = lab.make("one", PUBLIC, TOLD), lab.make("two", PUBLIC, TOLD)
    lab.make("open", PUBLIC, reads(one=pin))
    lab.branch("open", "good", reads(one=pin))
    lab.branch("open", "bad", reads(two=other))

    assert {"up/a.txt": b"told to few\n"} == lab.meet("open", "good").outputs
    met = lab.meet("open", "bad")
    assert {} == met.outputs
    assert "which no trusted branch of lab/open has as a subdataset" in met.said


def test_an_untrusted_pin_leads_no_further(lab: Neighbours) -> None:
    """A branch of the subdataset that is not trusted itself names a third repository."""
    deep = lab.make("three", PUBLIC, TOLD)
    pin = lab.make("one", PUBLIC, TOLD)
    lab.make("open", PUBLIC, reads(one=pin))
    lab.branch("one", "evil", reads(three=deep))
    evil = lab.forge.tips("one")["refs/heads/evil"]
    files = reads(one=evil) | {"up/spec.yml": spec("up", COPY, pfs("one/three/raw"))}
    lab.branch("open", "feature", files)

    met = lab.meet("open", "feature")

    assert {} == met.outputs
    assert "which no trusted branch of lab/one has as a subdataset" in met.said


def test_a_forge_that_does_not_say_who_reads_opens_nothing(lab: Neighbours) -> None:
    """It is asked again later."""
    pin = lab.make("secret", PUBLIC, TOLD)
    lab.make("open", PUBLIC, reads(secret=pin))
    lab.facts.remove("lab/secret")

    assert {} == lab.meet("open").outputs


def test_results_of_a_trusted_repository_obey_its_visibility(lab: Neighbours) -> None:
    """What few may read is computed again for the others, and not taken over."""
    lab.open_storage("lab/*")
    count = lab.forge.root / "count"
    files = {"up/spec.yml": spec("up", f"echo >> {count}; {COPY}")}
    lab.make("secret", ADA, files)
    lab.make("open", PUBLIC, files)
    lab.meet("secret")
    lab.meet("open")
    assert 2 == len(count.read_text().splitlines())

    lab.make("third", ADA, files)
    lab.meet("third")
    assert 2 == len(count.read_text().splitlines()), "the readers of the third may read them"


class People:
    """Users, organizations and repositories of a real Gitea."""

    def __init__(self, gitea: Gitea) -> None:
        self._gitea = gitea
        self._number = time.time_ns()
        self.client = GiteaForge(gitea.url, gitea.bot_token)

    def user(self, name: str) -> str:
        """A user."""
        login = f"{name}{self._number}"
        body = {
            "username": login,
            "email": f"{login}@example.org",
            "password": secrets.token_hex(12),
        }
        self._gitea.api("POST", "/admin/users", body | {"must_change_password": False})
        return login

    def organization(self, visibility: str) -> str:
        """An organization."""
        name = f"org{self._number}-{visibility}"
        self._gitea.api("POST", "/orgs", {"username": name, "visibility": visibility})
        return name

    def repository(
        self, name: str, *people: str, private: bool = True, owner: str = "", team: int = 0
    ) -> Audience:
        """The readers of a new repository to which these people were invited."""
        path = f"/orgs/{owner}/repos" if owner else "/user/repos"
        body = {"name": f"{name}{self._number}", "private": private}
        full = self._gitea.api("POST", path, body)["full_name"]
        for person in (*people, self._gitea.bot):
            right = {"permission": "write" if person == self._gitea.bot else "read"}
            self._gitea.api("PUT", f"/repos/{full}/collaborators/{person}", right)
        if team:
            self._gitea.api("PUT", f"/teams/{team}/repos/{full}")
        return self.client.audience(full)

    def team(self, owner: str, name: str, *units: str) -> int:
        """A team that may read these units of its repositories; its id."""
        body = {"name": name, "permission": "read", "units": list(units)}
        return int(self._gitea.api("POST", f"/orgs/{owner}/teams", body)["id"])


@pytest.mark.gitea
def test_gitea_says_who_reads_what(gitea: Gitea) -> None:
    """By visibility, invitations, organizations and teams, to a bot with the right to write."""
    people = People(gitea)
    ada, eve = people.user("ada"), people.user("eve")
    public = people.repository("public", private=False)
    own, shared = people.repository("own"), people.repository("shared", ada)
    other = people.repository("other", ada, eve)
    assert ("public", frozenset({"lab"})) == (public.visibility, own.people)
    assert ("", "everybody") == (public.lacks(own), own.lacks(public))
    assert ("", f"user {ada}") == (shared.lacks(own), own.lacks(shared))
    assert ("", f"user {eve}") == (other.lacks(shared), shared.lacks(other))

    limited, hidden = people.organization("limited"), people.organization("private")
    users = people.repository("users", private=False, owner=limited)
    members = people.repository("members", private=False, owner=hidden)
    assert ("users", "organization") == (users.visibility, members.visibility)
    readers = people.team(hidden, "readers", "repo.code")
    talkers = people.team(hidden, "talkers", "repo.issues")
    staff = people.repository("staff", owner=hidden)
    read = people.repository("read", owner=hidden, team=readers)
    talk = people.repository("talk", owner=hidden, team=talkers)
    assert (staff.teams, staff.teams | {readers}) == (talk.teams, read.teams)
    assert ("", f"a team of {hidden}") == (read.lacks(staff), staff.lacks(read))
    assert ("", f"the members of {hidden}") == (members.lacks(read), read.lacks(members))
