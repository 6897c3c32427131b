"""One contract for forge clients: the embedded forge, and a real Gitea where there is one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tea_runner.core.deliveries.delivery_events import Ignored, PullRequestEvent, PushEvent
from tea_runner.core.deliveries.delivery_signature import dialect, is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.errors import ForgeError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.gitea import GiteaForge
from tests import gitea as real
from tests.clone import Clone
from tests.receiver import Recorder


@dataclass
class Side:
    """A forge, a client of its bot, and a repository in it."""

    client: GiteaForge
    bot: str
    repository: str
    clone: Clone


@pytest.fixture(params=["embedded", pytest.param("gitea", marks=pytest.mark.gitea)])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each kind of forge in turn."""
    if request.param == "gitea":
        forge: real.Gitea = request.getfixturevalue("gitea")
        repository = forge.repository(f"r{abs(hash(request.node.nodeid))}")
        clone = Clone(tmp_path / "clone", forge.push_url(repository))
        yield Side(GiteaForge(forge.url, forge.bot_token), forge.bot, repository, clone)
        return
    with EmbeddedForge(tmp_path / "forge") as embedded:
        embedded.add_user("ada", "correct")
        embedded.add_user("bot", "horse", admin=True)
        embedded.create_repository("ada", "edges")
        clone = Clone(tmp_path / "clone", embedded.push_url("ada/edges", "ada", "correct"))
        yield Side(GiteaForge(embedded.url, embedded.add_token("bot")), "bot", "ada/edges", clone)


def test_the_forge_says_what_it_is_and_who_we_are(side: Side) -> None:
    """Version and user; a check finds nothing wrong."""
    assert re.match(r"[0-9]+\.[0-9]+", side.client.version())
    assert side.bot == side.client.whoami()
    assert side.client.check() == []


def test_a_hook_is_made_active_and_delivers_signed_pushes(side: Side) -> None:
    """What arrives is signed with our secret and says the push; afterwards the hook is gone."""
    with Recorder() as recorder:
        made = side.client.add_webhook(side.repository, url=f"{recorder.url}/x", secret="s3cret")
        (hook,) = side.client.webhooks(side.repository)
        assert (hook.id, hook.url, hook.active) == (made, f"{recorder.url}/x", True)
        tip = side.clone.commit("a")
        side.clone.push("main", "main:refs/heads/git-annex", "main:refs/tea/x")
        came = recorder.wait(2)
        assert len(came) == 2
        said = []
        for each in came:
            spoken = dialect("gitea", each.headers | {"X-Gitea-Signature": ""})
            signature = each.headers[spoken.signature.lower()]
            assert is_signed(each.body, signature, ["s3cret"])
            said.append(parse_gitea_delivery(each.event, each.body))
        number = side.client.repository_id(side.repository)
        pushed = [
            PushEvent(repository=side.repository, repository_id=number, ref=ref, after=tip)
            for ref in ("refs/heads/git-annex", "refs/heads/main")
        ]
        assert pushed == sorted(said, key=lambda each: getattr(each, "ref", ""))
        recorder.kept.clear()
        side.clone.push("main:refs/heads/old")
        recorder.wait(1)
        recorder.kept.clear()
        side.clone.push(":refs/heads/old")
        (gone,) = recorder.wait(1)
        event = parse_gitea_delivery(gone.event, gone.body)
        assert isinstance(event, PushEvent)
        assert event.deleted
        recorder.kept.clear()
        side.client.test_webhook(side.repository, made)
        (tested,) = recorder.wait(1)
        assert isinstance(parse_gitea_delivery(tested.event, tested.body), Ignored)
        side.client.remove_webhook(side.repository, made)
        side.client.remove_webhook(side.repository, made)
        assert list(side.client.webhooks(side.repository)) == []


@pytest.mark.gitea
def test_a_hook_delivers_pull_requests(gitea: real.Gitea, tmp_path: Path) -> None:
    """When one is opened, has a new commit, and is closed."""
    repository = gitea.repository(f"hooked{time.time_ns()}")
    clone = Clone(tmp_path / "clone", gitea.push_url(repository))
    client = GiteaForge(gitea.url, gitea.bot_token)
    clone.commit("a")
    clone.push("main")
    clone.commit("b")
    clone.push("main:refs/heads/change")
    with Recorder() as recorder:
        client.add_webhook(repository, url=f"{recorder.url}/x", secret="s3cret")
        fields = {"head": "change", "base": "main", "title": "t"}
        place = f"/repos/{repository}/pulls"
        until = time.monotonic() + 20
        while True:
            try:
                number = gitea.api("POST", place, fields)["number"]
                break
            except requests.HTTPError:
                # Gitea works pushes off in the background.
                assert time.monotonic() < until
                time.sleep(0.2)

        def events() -> list[PullRequestEvent]:
            parsed = [parse_gitea_delivery(each.event, each.body) for each in recorder.kept]
            return [each for each in parsed if isinstance(each, PullRequestEvent)]

        for expected in (1, 2, 3):
            if expected == 2:
                clone.commit("c")
                clone.push("main:refs/heads/change")
            if expected == 3:
                gitea.api("PATCH", f"{place}/{number}", {"state": "closed"})
            until = time.monotonic() + 20
            while len(events()) < expected and time.monotonic() < until:
                time.sleep(0.1)
            assert len(events()) == expected, [each.event for each in recorder.kept]
        event = PullRequestEvent(
            repository=repository, repository_id=client.repository_id(repository), number=number
        )
        assert [event] * 3 == events()


def test_refs_are_those_that_git_lists(side: Side) -> None:
    """Of a repository that others may not see, by our token; none of an empty one; None of no one."""
    assert {} == (side.client.refs(side.repository, "refs/heads/") or {})
    tip = side.clone.commit("a")
    side.clone.push("main", "main:refs/heads/git-annex", "main:refs/tea/x")
    refs = side.client.refs(side.repository, "refs/heads/")
    assert {"refs/heads/main": tip, "refs/heads/git-annex": tip} == refs
    stranger = GiteaForge(side.client.url, "0" * 40)
    assert stranger.refs("nobody/nothing", "refs/heads/") is None
    assert side.client.refs("nobody/nothing", "refs/heads/") is None


def _statuses(side: Side, commit: str) -> Mapping[str, tuple[str, str]]:
    """Asked again for a while: Forgejo learns from a queue that the first push has come."""
    until = time.monotonic() + 10
    while True:
        try:
            return side.client.commit_statuses(side.repository, commit)
        except ForgeError as error:
            if error.response_status != 500 or time.monotonic() > until:
                raise
            time.sleep(0.2)


def test_a_status_goes_there_and_back(side: Side) -> None:
    """The latest of each context counts; long words are cut; unknown commits are an error."""
    tip = side.clone.commit("a")
    side.clone.push()
    for state, words in (("pending", "1 runs"), ("success", "1 done, " + "x" * 400)):
        side.client.set_commit_status(
            side.repository,
            tip,
            state,
            description=words,  # type: ignore[arg-type]
            context="tea",
            target_url="http://127.0.0.1:1/x",
        )
    state, words = _statuses(side, tip)["tea"]
    assert state == "success"
    assert len(words) == 255
    with pytest.raises(ForgeError) as unknown:
        side.client.set_commit_status(
            side.repository, "1" * 40, "error", description="", context="tea"
        )
    assert unknown.value.response_status == 500


def test_branches_come_in_pages(side: Side) -> None:
    """More branches than one page holds, each with its tip; Gitea needs a moment for them."""
    tip = side.clone.commit("a")
    names = {f"b{number:03d}" for number in range(60)}
    side.clone.push("main", *(f"main:refs/heads/{name}" for name in sorted(names)))
    found = side.client.branches(side.repository)
    until = time.monotonic() + 20
    while len(found) < 61 and time.monotonic() < until:
        time.sleep(0.1)
        found = side.client.branches(side.repository)
    assert names | {"main"} == set(found)
    assert {tip} == set(found.values())


def test_repositories_are_found_by_pattern(side: Side) -> None:
    """By name, by owner, or all; what is not there is not found."""
    side.clone.commit("a")
    side.clone.push()
    owner = side.repository.partition("/")[0]
    assert side.repository in side.client.repositories([f"{owner}/*"])
    assert side.repository in side.client.repositories(["*/*"])
    assert [side.repository] == side.client.repositories([side.repository, "nobody/none"])
    assert side.client.repositories(["nobody/*"]) == []


def test_git_finds_the_repository_at_the_remote_url(side: Side) -> None:
    """The address has no name and no password in it."""
    url = side.client.remote_url(side.repository)
    assert url == f"{side.client.url}/{side.repository}.git"
    assert "@" not in url


def test_a_wrong_token_is_said_with_the_next_step(side: Side) -> None:
    """The forge's own sentence, and which setting to look at."""
    (problem,) = GiteaForge(side.client.url, "0" * 40).check()
    assert "the token is not accepted" in problem
    assert "forge.token_file" in problem


def test_a_repository_that_is_not_there_is_named(side: Side) -> None:
    """With its address, and what may be the reason."""
    with pytest.raises(ForgeError, match=r"/repos/nobody/none.*the repository does not exist"):
        side.client.branches("nobody/none")
