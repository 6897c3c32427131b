"""Bitbucket Data Center, after its documentation: what the contract of all forges does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import ForgeError
from tea_runner.forge.bitbucket import BitbucketForge
from tests.clone import Clone
from tests.documented_forges.bitbucket import DocumentedBitbucket


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedBitbucket]:
    """One server for all tests here."""
    with DocumentedBitbucket(tmp_path_factory.mktemp("bitbucket")) as made:
        yield made


def _client(forge: DocumentedBitbucket) -> BitbucketForge:
    return BitbucketForge(forge.url, forge.tokens["bot"], sleep=lambda _: None)


def test_git_clones_below_a_path_of_its_own(forge: DocumentedBitbucket) -> None:
    """The pages and the API are elsewhere."""
    assert f"{forge.url}/scm/LAB/edges.git" == _client(forge).remote_url("LAB/edges")


def test_readers_of_a_private_repository_are_those_who_have_the_permission(
    forge: DocumentedBitbucket,
) -> None:
    """However they have it; without the bot."""
    name = forge.add("ada", "secret", private=True)
    forge.kept[name].users["eve"] = "read"
    found = _client(forge).audience(name)
    assert ("private", {"ada", "eve"}) == (found.visibility, set(found.people))
    assert _client(forge).audience(forge.add("ada", "open")).visibility == "public"


def test_repositories_of_a_person_are_found_and_asked_about(forge: DocumentedBitbucket) -> None:
    """Their project is ``~NAME``, in the API and below the path of clones."""
    name = forge.add("~ada", "mine", private=True)
    client = _client(forge)
    assert [name] == list(client.repositories(["~ada/*"])) == list(client.repositories([name]))
    assert f"{forge.url}/scm/~ada/mine.git" == client.remote_url(name)


def test_only_restrictions_of_one_branch_that_shut_some_out_protect_it(
    forge: DocumentedBitbucket, tmp_path: Path
) -> None:
    """Patterns are not read; who may not read the restrictions sees none."""
    name = forge.add("ada", "ruled")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    clone.commit("a")
    clone.push("main", *(f"main:refs/heads/{each}" for each in ("read", "pulls", "kept", "p/x")))
    forge.kept[name].protected = {
        "refs/heads/read": ("BRANCH", "read-only"),
        "refs/heads/pulls": ("BRANCH", "pull-request-only"),
        "refs/heads/kept": ("BRANCH", "no-deletes"),
        "refs/heads/gone": ("BRANCH", "read-only"),
        "p/*": ("PATTERN", "read-only"),
    }
    found = _client(forge).branch_protection(name)
    assert "main" == found.default
    assert {"read", "pulls"} == found.protected
    forge.kept[name].protected = {"": "hidden"}
    assert frozenset() == _client(forge).branch_protection(name).protected


def test_a_warning_passes_no_check(forge: DocumentedBitbucket, tmp_path: Path) -> None:
    """Bitbucket has none: the build stays in progress, with the page of the commit as its address."""
    name = forge.add("ada", "warned")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    tip = clone.commit("a")
    clone.push("main")
    _client(forge).set_commit_status(name, tip, "warning", description="skipped", context="tea")
    assert {"tea": ("pending", "skipped")} == _client(forge).commit_statuses(name, tip)
    (row,) = forge.kept[name].statuses[tip]
    assert row["url"] == f"{forge.url}/projects/ada/repos/warned/commits/{tip}"


def test_reviewers_stay_when_a_pull_request_is_edited(
    forge: DocumentedBitbucket, tmp_path: Path
) -> None:
    """Bitbucket drops whoever is not named."""
    name = forge.add("ada", "reviewed")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    clone.commit("a")
    clone.push("main", "main:refs/heads/change")
    client = _client(forge)
    made = client.open_pull_request(name, head="change", base="main", title="a", text="b")
    assert made is not None
    row = forge.kept[name].pulls[made.number]
    row["reviewers"] = [{"user": {"name": "eve"}}]
    client.edit_pull_request(name, made.number, title="c", text="d")
    assert [{"user": {"name": "eve"}}] == row["reviewers"]


def test_a_hook_is_tested_by_a_ping(forge: DocumentedBitbucket) -> None:
    """To the address of the hook; one that is not there is an error."""
    name, client = forge.add("ada", "hooked"), _client(forge)
    made = client.add_webhook(name, url="http://127.0.0.1:1/x", secret="s")
    assert "repo:refs_changed" in forge.kept[name].hooks[int(made)]["events"]
    client.test_webhook(name, made)
    assert forge.tested == [(int(made), "diagnostics:ping")]
    with pytest.raises(ForgeError, match="no webhook 99"):
        client.test_webhook(name, "99")
