"""GitLab, after its documentation: what the contract of all forges does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.access import AccessLevel
from tea_runner.core.errors import ForgeError
from tea_runner.forge.gitlab import GitLabForge
from tea_runner.forge.gitlab_accounts import GitLabAccounts
from tests.clone import Clone
from tests.documented_forges.gitlab import DocumentedGitLab


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedGitLab]:
    """One server for all tests here."""
    with DocumentedGitLab(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


def _client(forge: DocumentedGitLab) -> GitLabForge:
    return GitLabForge(forge.url, forge.tokens["bot"], sleep=lambda _: None)


def test_a_former_name_leads_to_the_new_one(forge: DocumentedGitLab) -> None:
    """GitLab answers it."""
    name = forge.add("ada", "corners")
    forge.moved["ada/edges"] = name
    client = _client(forge)
    assert (name, client.repository_id(name)) == client.current_name("ada/edges")


def test_a_project_in_a_subgroup_is_said_to_be_unsupported(forge: DocumentedGitLab) -> None:
    """It is not found by a pattern, and a project that moved there is an error with the next step."""
    forge.create_repository("ada", "sub")
    client = _client(forge)
    with pytest.raises(ForgeError, match="no project directly in a group"):
        client.branches("group/sub/edges")
    with pytest.raises(ForgeError, match="subgroups are not supported"):
        client._name({"path_with_namespace": "group/sub/edges"})


def test_readers_of_a_private_project_are_its_members_that_read_code(
    forge: DocumentedGitLab,
) -> None:
    """Guests are none; the code of an open project may be for its members."""
    name = forge.add("ada", "secret", private=True)
    client, kept = _client(forge), forge.kept[name]
    kept.users["eve"] = "guest"
    found = client.audience(name)
    assert ("private", "ada", frozenset({"ada"})) == (found.visibility, found.owner, found.people)
    kept.users["eve"] = "read"
    assert client.audience(name).people == {"ada", "eve"}
    kept.private = False
    assert client.audience(name).visibility == "public"
    kept.protected["code"] = "private"
    assert client.audience(name).visibility == "private"


def test_roles_say_what_an_account_may_do(forge: DocumentedGitLab) -> None:
    """Reporters read, developers write, guests see no code of a private project."""
    name = forge.add("ada", "roles", private=True)
    accounts, kept = GitLabAccounts(forge.url), forge.kept[name]
    credential = f"token {forge.tokens['eve']}"
    expected = {
        "guest": AccessLevel.NONE,
        "read": AccessLevel.READ,
        "write": AccessLevel.WRITE,
    }
    for role, level in expected.items():
        kept.users["eve"] = role
        assert {name: level} == accounts.levels(credential, [name])
    del kept.users["eve"]
    kept.private, kept.protected = False, {"code": "private"}
    assert {name: AccessLevel.NONE} == accounts.levels(credential, [name])
    kept.protected = {}
    assert {name: AccessLevel.READ} == accounts.levels(credential, [name])


def test_a_branch_that_developers_push_to_is_not_protected(
    forge: DocumentedGitLab, tmp_path: Path
) -> None:
    """GitLab calls it protected, because nobody may force a push or delete it."""
    name = forge.add("ada", "ruled")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    clone.commit("a")
    clone.push("main", "main:refs/heads/open", "main:refs/heads/shut")
    forge.kept[name].protected = {"open": "all", "shut": "maintainers"}
    found = _client(forge).branch_protection(name)
    assert {"main", "open", "shut"} == found.branches
    assert {"shut"} == found.protected


def test_a_status_that_is_there_is_no_error(forge: DocumentedGitLab, tmp_path: Path) -> None:
    """GitLab declines a state that does not change; other refusals are errors."""
    name = forge.add("ada", "twice")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    tip = clone.commit("a")
    clone.push("main")
    client = _client(forge)
    for words in ("1 runs", "2 run"):
        client.set_commit_status(name, tip, "pending", description=words, context="tea")
    assert client.commit_statuses(name, tip)["tea"][0] == "pending"
    client.set_commit_status(name, tip, "warning", description="skipped", context="tea")
    assert {"tea": ("warning", "skipped")} == client.commit_statuses(name, tip)
    with pytest.raises(ForgeError, match="Commit Not Found"):
        client.set_commit_status(name, "1" * 40, "pending", description="", context="tea")


def test_a_hook_is_tested_by_the_push_of_a_tag(forge: DocumentedGitLab) -> None:
    """It gets none otherwise; one that GitLab has disabled is not active."""
    name, client = forge.add("ada", "hooked"), _client(forge)
    made = client.add_webhook(name, url="http://127.0.0.1:1/x", secret="s")
    kept = forge.kept[name].hooks[int(made)]
    assert (True, True, False) == (
        kept["push_events"],
        kept["merge_requests_events"],
        kept["tag_push_events"],
    )
    client.test_webhook(name, made)
    assert forge.tested == [(int(made), "tag_push_events")]
    kept["alert_status"] = "disabled"
    assert [False] == [hook.active for hook in client.webhooks(name)]
