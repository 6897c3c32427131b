"""git against the embedded forge: clone, push, refuse, in parallel, in part."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tea_runner.forge.embedded import EmbeddedForge
from tests.clone import Clone
from tests.faulty_forge import Fault, Faults, FaultyForge, RandomFaults


def clone(
    tmp_path: Path,
    forge: EmbeddedForge,
    user: str = "ada",
    word: str = "correct horse",
    repository: str = "ada/edges",
) -> Clone:
    """A clone that pushes as this user."""
    url = forge.push_url(repository, user, word.replace(" ", "%20"))
    return Clone(tmp_path / f"{user}-{len(list(tmp_path.iterdir()))}", url)


def test_a_push_creates_the_repository(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Under one's own name nothing has to be made first; a clone gives back the same commit."""
    mine = clone(tmp_path, forge)
    tip = mine.commit("a")
    mine.push()
    again = clone(tmp_path, forge)
    again.git("fetch", "-q", again.url, "main")
    assert tip == again.git("rev-parse", "FETCH_HEAD")


def test_a_wrong_password_is_refused(tmp_path: Path, forge: EmbeddedForge) -> None:
    """As is a user that there is not."""
    for user, word in (("ada", "wrong"), ("nobody", "correct horse"), ("ada", "")):
        mine = clone(tmp_path, forge, user, word)
        mine.commit("a")
        assert "fatal:" in mine.push(check=False)
    assert list(forge.store.all()) == []


def test_a_token_is_a_password(tmp_path: Path, forge: EmbeddedForge) -> None:
    """With any user name, as in Gitea."""
    mine = clone(tmp_path, forge, "x", forge.add_token("ada"))
    mine.commit("a")
    mine.push()
    assert [each.full_name for each in forge.store.all()] == ["ada/edges"]


def test_nobody_pushes_to_anothers_repository(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Except administrators, such as the bot."""
    mine = clone(tmp_path, forge)
    mine.commit("a")
    mine.push()
    theirs = clone(tmp_path, forge, "eve", "battery staple")
    theirs.commit("b")
    assert "403" in theirs.push("main:refs/heads/eve", check=False)
    bots = clone(tmp_path, forge, "bot", "paper clip")
    bots.commit("c")
    bots.push("main:refs/heads/bot")
    assert {"main", "bot"} == set(forge.store.branches(next(forge.store.all())))
    new = clone(tmp_path, forge, "eve", "battery staple", "ada/new")
    new.commit("d")
    assert "fatal:" in new.push(check=False)


def test_private_refs_are_kept_and_the_first_wins(tmp_path: Path, forge: EmbeddedForge) -> None:
    """An empty lease makes a ref once; afterwards it is refused, as by Gitea."""
    mine = clone(tmp_path, forge)
    mine.commit("a")
    mine.push()
    lease = "--force-with-lease=refs/tea/x:"
    mine.git("push", mine.url, lease, "HEAD:refs/tea/x")
    mine.commit("b")
    assert "stale info" in mine.git("push", mine.url, lease, "HEAD:refs/tea/x", check=False)
    mine.git("push", mine.url, ":refs/tea/x")
    assert "refs/tea" not in mine.git("ls-remote", mine.url)


def test_an_atomic_push_moves_all_or_nothing(tmp_path: Path, forge: EmbeddedForge) -> None:
    """One stale lease and nothing moves."""
    mine = clone(tmp_path, forge)
    first = mine.commit("a")
    mine.push("main", "main:refs/heads/git-annex")
    mine.commit("b")
    wrong = "0" * 39 + "1"
    said = mine.git(
        "push",
        "--atomic",
        mine.url,
        f"--force-with-lease=git-annex:{wrong}",
        f"--force-with-lease=main:{first}",
        "main",
        "main:git-annex",
        check=False,
    )
    assert "stale info" in said
    assert {"main": first, "git-annex": first} == forge.store.branches(next(forge.store.all()))


def test_a_partial_clone_leaves_large_files_behind(tmp_path: Path, forge: EmbeddedForge) -> None:
    """blob:limit is honoured, and what is missing can be had later by its id."""
    mine = clone(tmp_path, forge)
    (mine.path / "big").write_bytes(os.urandom(200_000))
    mine.git("add", "big")
    mine.commit("small")
    mine.push()
    part = tmp_path / "part.git"
    mine.git("clone", "-q", "--bare", "--filter=blob:limit=32k", mine.url, str(part))
    missing = mine.git("-C", str(part), "rev-list", "--objects", "--all", "--missing=print")
    assert missing.count("?") == 1
    assert mine.git("-C", str(part), "cat-file", "-s", "main:big") == "200000"


def test_a_large_push_is_streamed(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Bodies beyond git's buffer come in chunks."""
    mine = clone(tmp_path, forge)
    (mine.path / "big").write_bytes(os.urandom(5_000_000))
    mine.git("add", "big")
    tip = mine.commit("small")
    mine.git("-c", "http.postBuffer=65536", "push", mine.url, "main")
    assert {"main": tip} == forge.store.branches(next(forge.store.all()))


@pytest.mark.long
def test_many_push_at_once(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Thirty-two private refs of one repository from thirty-two clients: all are there."""
    mine = clone(tmp_path, forge)
    mine.commit("a")
    mine.push()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: mine.push(f"HEAD:refs/tea/jobs/{i:02d}"), range(32)))
    assert mine.git("ls-remote", mine.url, "refs/tea/*").count("refs/tea/jobs/") == 32


def test_paths_lead_nowhere_else(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Neither the forge's own folder nor what lies beside it can be had."""
    (tmp_path / "forge" / "x.git").mkdir()
    for name in (".forge/hooks", "../forge/x", "ada/..", "..%2f..%2fetc/x"):
        mine = clone(tmp_path, forge, repository=name)
        mine.commit("a")
        assert "fatal:" in mine.push(check=False)
    assert list(forge.store.all()) == []


class CutPushResponses(Faults):
    """Breaks the connection before the response to each push."""

    def response(self, method: str, path: str) -> Fault | None:
        """The push is carried out, nothing of the response arrives."""
        return Fault(keep=0) if path.endswith("/git-receive-pack") else None


def test_a_push_whose_answer_is_lost_has_happened(tmp_path: Path, forge: FaultyForge) -> None:
    """The client sees an error; the ref has moved all the same."""
    mine = clone(tmp_path, forge)
    tip = mine.commit("a")
    forge.faults = CutPushResponses()
    assert "error: RPC failed" in mine.push(check=False)
    forge.faults = Faults()
    repository = next(forge.store.all())
    until = time.monotonic() + 10
    while not forge.store.branches(repository) and time.monotonic() < until:
        time.sleep(0.02)
    assert {"main": tip} == forge.store.branches(repository)


def test_faults_can_be_overcome_by_trying_again(tmp_path: Path, forge: FaultyForge) -> None:
    """A third of the answers fail or break; some try gets through."""
    mine = clone(tmp_path, forge)
    tip = mine.commit("a")
    forge.faults = RandomFaults(3, fail=0.2, cut=0.1)
    for _ in range(30):
        mine.push(check=False)
    forge.faults = Faults()
    assert {"main": tip} == forge.store.branches(next(forge.store.all()))


def test_the_first_branch_is_what_clones_check_out(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Whatever its name; but never git-annex, which comes with it."""
    mine = clone(tmp_path, forge)
    mine.commit("a")
    mine.push("main:refs/heads/git-annex")
    mine.push("main:refs/heads/master")
    mine.push("main:refs/heads/later")
    mine.git("clone", "-q", mine.url, str(tmp_path / "there"))
    assert mine.git("-C", str(tmp_path / "there"), "branch", "--show-current") == "master"


def test_a_client_that_is_gone_when_it_is_its_turn_stops_nobody(forge: EmbeddedForge) -> None:
    """The server does not wait in ``accept`` for a connection that was there a moment ago."""
    server = forge._server
    server._handle_request_noblock()  # type: ignore[attr-defined]

    assert 200 == requests.get(f"{forge.url}/healthz", timeout=60).status_code
