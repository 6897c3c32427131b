"""Forge: memory, a folder of repositories, the embedded forge, real ones, and documented ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tea_runner.core.errors import ForgeError
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.forge.gitea import GiteaForge
from tea_runner.ports import Forge
from tests import gitea as real
from tests.clone import Clone
from tests.contracts.forge_sides import (
    KINDS,
    Side,
    documented,  # noqa: F401 - a fixture
    eventually,
    pusher,
    start_side,
)


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each implementation in turn."""
    yield from start_side(request, tmp_path)


def test_repositories_are_listed_by_pattern(side: Side) -> None:
    """By name, owner or all; sorted; what is not there is left out."""
    owner = side.repository.partition("/")[0]
    side.push("refs/heads/main")

    assert list(side.forge.repositories([side.repository, "nobody/none"])) == [side.repository]
    assert side.repository in side.forge.repositories([f"{owner}/*"])
    assert side.repository in side.forge.repositories(["*/*"])
    assert list(side.forge.repositories(["nobody/*"])) == []
    assert list(side.forge.repositories([])) == []


def test_the_remote_url_holds_no_credentials(side: Side) -> None:
    """It names the repository."""
    url = side.forge.remote_url(side.repository)

    assert url.endswith(f"{side.repository}.git")
    assert "@" not in url


def test_branches_have_their_tips(side: Side) -> None:
    """Names with slashes, too; no other refs."""
    first = side.push("refs/heads/main", "refs/heads/a/b", "refs/tea/x")
    expected = {"main": first, "a/b": first}

    assert (
        eventually(lambda: dict(side.forge.branches(side.repository)), expected.__eq__) == expected
    )
    second = side.push("refs/heads/main")
    expected["main"] = second
    assert (
        eventually(lambda: dict(side.forge.branches(side.repository)), expected.__eq__) == expected
    )


def test_the_default_branch_is_trusted_and_others_are_listed(side: Side) -> None:
    """A new repository protects nothing."""
    side.push("refs/heads/main")
    side.push("refs/heads/a/b", "refs/heads/master")
    found = eventually(
        lambda: side.forge.branch_protection(side.repository), lambda each: len(each.branches) == 3
    )

    assert found.default in found.branches
    assert found.trusted == (found.default,)
    assert found.branches == {"main", "a/b", "master"}


def test_a_repository_is_read_by_the_same_people_as_itself(side: Side) -> None:
    """Whatever the forge says of its readers, it says of all alike."""
    audience = side.forge.audience(side.repository)

    assert audience.lacks(side.forge.audience(side.repository)) == ""


def test_a_new_repository_has_no_pull_requests(side: Side) -> None:
    """An empty list, where there are no such things as well."""
    assert list(side.forge.pull_requests(side.repository)) == []


def _proposed(side: Side) -> ListedPullRequest | None:
    side.push("refs/heads/main")
    side.push("refs/heads/change")

    def propose() -> ListedPullRequest | None:
        try:
            return side.forge.open_pull_request(
                side.repository, head="change", base="main", title="A <b>", text="of @all"
            )
        except ForgeError as error:
            # Gitea works pushes off in the background.
            if error.response_status not in (404, 409, 500):
                raise
            return None

    return eventually(propose, lambda made: made is not None or not side.pulls)


def test_a_pull_request_is_opened_once_and_edited(side: Side) -> None:
    """With branches and commit; None where there are no such things."""
    made = _proposed(side)
    if made is None:
        assert side.forge.pull_request(side.repository, 1) is None
        with pytest.raises(ForgeError):
            side.forge.edit_pull_request(side.repository, 1, title="b", text="c")
        return
    commit = side.forge.branches(side.repository)["change"]
    found = side.forge.pull_request(side.repository, made.number)
    assert made == found
    assert [made] == list(side.forge.pull_requests(side.repository))
    assert [] == list(side.forge.pull_requests(side.repository, closed=True))
    expected = ("change", commit, side.repository, "main", "open", "A <b>", "of @all")
    assert expected == (
        made.branch,
        made.commit,
        made.source,
        made.target,
        made.state,
        made.title,
        made.text,
    )
    with pytest.raises(ForgeError):
        side.forge.open_pull_request(
            side.repository, head="change", base="main", title="again", text=""
        )
    side.forge.edit_pull_request(side.repository, made.number, title="B", text="c")
    found = side.forge.pull_request(side.repository, made.number)
    assert found is not None
    assert ("B", "c") == (found.title, found.text)
    assert side.forge.pull_request(side.repository, made.number + 1000) is None
    side.forge.edit_pull_request(side.repository, made.number, title="B", text="c", close=True)
    (closed,) = side.forge.pull_requests(side.repository, closed=True)
    assert ("closed", True, "B") == (closed.state, closed.own, closed.title)
    assert [] == list(side.forge.pull_requests(side.repository))


def test_the_bot_has_one_comment_on_a_pull_request(side: Side) -> None:
    """It is found again by its marker; nothing is written where there are no such things."""
    made = _proposed(side)
    number = made.number if made else 1
    write = partial(side.forge.write_comment, side.repository, number, marker="<!-- t -->")
    first = write("<!-- t -->\none")
    if made is None:
        assert first == ""
        return
    assert first == write("<!-- t -->\ntwo")
    assert first == write("<!-- t -->\nthree", comment=first)
    other = side.forge.write_comment(
        side.repository, number, "<!-- u -->\nfour", marker="<!-- u -->"
    )
    assert other != first
    assert first == write("<!-- t -->\nfive")
    # One that somebody has deleted is made again.
    assert write("<!-- t -->\nsix", comment="999999999") == first or side.pulls


@pytest.mark.gitea
def test_the_comment_of_somebody_else_is_left_alone(gitea: real.Gitea, tmp_path: Path) -> None:
    """Whoever writes the marker first: only the bot's own comment is replaced."""
    repository = gitea.repository(f"others-{time.time_ns()}", bot="write")
    clone = Clone(tmp_path / "clone", gitea.push_url(repository))
    client = GiteaForge(gitea.url, gitea.bot_token)
    made = _proposed(Side(client, repository, pusher(clone), lambda: None, pulls=True))
    assert made is not None
    place = f"/repos/{repository}/issues/{made.number}/comments"
    gitea.api("POST", place, {"body": "<!-- t -->\nhe was here"})
    own = client.write_comment(repository, made.number, "<!-- t -->\nmine", marker="<!-- t -->")
    again = client.write_comment(repository, made.number, "<!-- t -->\nours", marker="<!-- t -->")

    assert own == again
    texts = [row["body"] for row in gitea.api("GET", place)]
    assert ["<!-- t -->\nhe was here", "<!-- t -->\nours"] == texts


def test_refs_come_in_one_request_or_not_at_all(side: Side) -> None:
    """Those below the prefixes; None where git has to be asked."""
    tip = side.push("refs/heads/main", "refs/tea/x")
    found = side.forge.refs(side.repository, "refs/tea/")

    assert found == ({"refs/tea/x": tip} if side.serves else None)


def test_an_empty_repository_has_no_branches(side: Side) -> None:
    """It is no error."""
    assert dict(side.forge.branches(side.repository)) == {}


def test_a_number_stays_with_a_repository(side: Side) -> None:
    """None where there are no numbers."""
    number = side.forge.repository_id(side.repository)

    assert number == side.forge.repository_id(side.repository)
    assert number is None or number > 0


def _statuses(side: Side, commit: str) -> Mapping[str, tuple[str, str]]:
    try:
        return side.forge.commit_statuses(side.repository, commit)
    except ForgeError as error:
        # Forgejo reads from a queue that a first push has come.
        if error.response_status != 500:
            raise
        return {}


def test_the_latest_status_of_each_context_counts(side: Side) -> None:
    """Where statuses are shown; long descriptions are cut."""
    tip = side.push("refs/heads/main")
    assert dict(_statuses(side, tip)) == {}
    for state, words, context in (
        ("pending", "1 runs", "tea"),
        ("success", "1 done " + "x" * 400, "tea"),
        ("error", "no", "other"),
    ):
        side.forge.set_commit_status(
            side.repository,
            tip,
            state,  # type: ignore[arg-type]
            description=words,
            context=context,
            target_url="http://127.0.0.1:1/x",
        )
    found = eventually(
        lambda: dict(_statuses(side, tip)), lambda rows: len(rows) == 2 or not side.serves
    )

    if side.serves:
        assert {name: row[0] for name, row in found.items()} == {"tea": "success", "other": "error"}
        assert found["tea"][1].startswith("1 done x")
        assert len(found["tea"][1]) == side.longest
    else:
        assert found == {}


def test_a_hook_is_listed_until_it_is_removed(side: Side) -> None:
    """Active, with its address; removing it twice is removing it once."""
    assert list(side.forge.webhooks(side.repository)) == []
    made = side.forge.add_webhook(side.repository, url="http://127.0.0.1:1/x", secret="s")
    (hook,) = side.forge.webhooks(side.repository)
    assert (hook.id, hook.url, hook.active) == (made, "http://127.0.0.1:1/x", True)
    side.forge.remove_webhook(side.repository, made)
    side.forge.remove_webhook(side.repository, made)

    assert list(side.forge.webhooks(side.repository)) == []


def test_a_forge_that_answers_has_no_problem(side: Side) -> None:
    """One sentence for each that it has."""
    assert list(side.forge.check()) == []


CALLS: dict[str, Callable[[Forge, str], object]] = {
    "repository_id": lambda forge, name: forge.repository_id(name),
    "branches": lambda forge, name: forge.branches(name),
    "branch_protection": lambda forge, name: forge.branch_protection(name),
    "pull_requests": lambda forge, name: forge.pull_requests(name),
    "pull_request": lambda forge, name: forge.pull_request(name, 1),
    "open_pull_request": lambda forge, name: forge.open_pull_request(
        name, head="a", base="b", title="c", text="d"
    ),
    "edit_pull_request": lambda forge, name: forge.edit_pull_request(name, 1, title="", text=""),
    "audience": lambda forge, name: forge.audience(name),
    "set_commit_status": lambda forge, name: forge.set_commit_status(
        name, "1" * 40, "error", description="", context="tea"
    ),
    "commit_statuses": lambda forge, name: forge.commit_statuses(name, "1" * 40),
    "add_webhook": lambda forge, name: forge.add_webhook(
        name, url="http://127.0.0.1:1/", secret="s"
    ),
    "webhooks": lambda forge, name: forge.webhooks(name),
    "test_webhook": lambda forge, name: forge.test_webhook(name, "1"),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_repository_is_a_forge_error(side: Side, name: str) -> None:
    """Of every method that names one, where there is something to ask."""
    if not side.serves and name in ("set_commit_status", "commit_statuses"):
        CALLS[name](side.forge, "nobody/none")
        return
    with pytest.raises(ForgeError):
        CALLS[name](side.forge, "nobody/none")


@pytest.mark.parametrize("name", [*CALLS, "repositories", "check"])
def test_a_forge_that_is_gone_is_a_forge_error(side: Side, name: str) -> None:
    """And a check that finds it raises nothing."""
    if isinstance(side.forge, GiteaForge) and not side.repository.startswith("ada/"):
        return  # The one Gitea of all tests stays up.
    side.stop()
    if name == "check":
        assert len(side.forge.check()) == 1
        return
    if not side.serves and name in ("set_commit_status", "commit_statuses", "repositories"):
        return  # A folder that is gone holds no repositories.
    call = CALLS.get(name, lambda forge, _: forge.repositories(["*/*"]))
    with pytest.raises(ForgeError):
        call(side.forge, side.repository)
