"""GitHub, after its documentation: what the contract of all forges does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.access import AccessLevel
from tea_runner.core.errors import ForgeError
from tea_runner.forge.github import GitHubForge
from tea_runner.forge.github_accounts import GitHubAccounts
from tea_runner.forge.github_address import github_api_url
from tests.clone import Clone
from tests.documented_forges.github import DocumentedGitHub


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedGitHub]:
    """One server for all tests here."""
    with DocumentedGitHub(tmp_path_factory.mktemp("github")) as made:
        yield made


def _client(forge: DocumentedGitHub, user: str = "bot") -> GitHubForge:
    return GitHubForge(forge.url, forge.tokens[user], sleep=lambda _: None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://github.com/", "https://api.github.com"),
        ("https://lab.ghe.com", "https://api.lab.ghe.com"),
        ("https://git.example.org", "https://git.example.org/api/v3"),
        ("https://github.com.example.org", "https://github.com.example.org/api/v3"),
        ("https://evilghe.com", "https://evilghe.com/api/v3"),
    ],
)
def test_the_api_has_an_address_of_its_own(url: str, expected: str) -> None:
    """A token goes to the configured host, or to the API of it."""
    assert expected == github_api_url(url)


def test_a_former_name_leads_to_the_new_one(forge: DocumentedGitHub) -> None:
    """By the number of the repository; the host of the redirect is not used."""
    name = forge.add("ada", "corners")
    forge.moved["ada/edges"] = name
    client = _client(forge)
    assert (name, client.repository_id(name)) == client.current_name("ada/edges")
    accounts = GitHubAccounts(forge.url)
    credential = f"token {forge.tokens['ada']}"
    assert {"ada/edges": AccessLevel.WRITE} == accounts.levels(credential, ["ada/edges"])


def test_readers_of_a_private_repository_are_those_that_github_lists(
    forge: DocumentedGitHub,
) -> None:
    """Without the bot, which may not ask without the right to push."""
    name = forge.add("ada", "secret", private=True)
    found = _client(forge).audience(name)
    assert ("private", "ada", frozenset({"ada"})) == (found.visibility, found.owner, found.people)
    forge.kept[name].users["eve"] = "read"
    assert _client(forge).audience(name).people == {"ada", "eve"}
    with pytest.raises(ForgeError, match="Must have push access"):
        _client(forge, "eve").audience(name)
    assert _client(forge).audience(forge.add("ada", "open")).visibility == "public"


def test_only_rules_that_shut_some_out_protect_a_branch(
    forge: DocumentedGitHub, tmp_path: Path
) -> None:
    """By rulesets or by the protection of the branch; a rule against deletion is none."""
    name = forge.add("ada", "ruled")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    clone.commit("a")
    wanted = {
        "r/pulls": ["deletion", "pull_request"],
        "r/update": ["update"],
        "r/deletion": ["deletion", "non_fast_forward"],
        "p/reviews": {"required_pull_request_reviews": {"required_approving_review_count": 1}},
        "p/people": {"restrictions": {"users": [], "teams": [], "apps": []}},
        "p/locked": {"lock_branch": {"enabled": True}},
        "p/unlocked": {"lock_branch": {"enabled": False}, "restrictions": None},
        "p/deletion": {"allow_deletions": {"enabled": False}},
    }
    clone.push("main", *(f"main:refs/heads/{branch}" for branch in wanted))
    forge.kept[name].protected = dict(wanted)
    found = _client(forge).branch_protection(name)
    assert {"main", *wanted} == found.branches
    assert {"r/pulls", "r/update", "p/reviews", "p/people", "p/locked"} == found.protected


def test_a_warning_passes_no_check(forge: DocumentedGitHub, tmp_path: Path) -> None:
    """GitHub has none: the status stays pending."""
    name = forge.add("ada", "warned")
    clone = Clone(tmp_path / "clone", forge.url_to_push(name))
    tip = clone.commit("a")
    clone.push("main")
    _client(forge).set_commit_status(name, tip, "warning", description="skipped", context="tea")
    assert {"tea": ("pending", "skipped")} == _client(forge).commit_statuses(name, tip)


def test_a_hook_is_tested_by_a_ping(forge: DocumentedGitHub) -> None:
    """GitHub sends an event that announces no push."""
    name, client = forge.add("ada", "hooked"), _client(forge)
    made = client.add_webhook(name, url="http://127.0.0.1:1/x", secret="s")
    assert forge.kept[name].hooks[int(made)]["events"] == ["push", "pull_request"]
    client.test_webhook(name, made)
    assert forge.tested == [(int(made), "ping")]
