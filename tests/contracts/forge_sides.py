"""Forges with one repository each: memory, a folder, the embedded forge, real ones, and documented ones."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tea_runner.forge.bitbucket import BitbucketForge
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.folder import FolderForge
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.github import GitHubForge
from tea_runner.forge.gitlab import GitLabForge
from tea_runner.forge.gogs import GogsForge
from tea_runner.host import process
from tea_runner.ports import Forge
from tests import gitea as real
from tests.clone import Clone
from tests.documented_forges.bitbucket import DocumentedBitbucket
from tests.documented_forges.github import DocumentedGitHub
from tests.documented_forges.gitlab import DocumentedGitLab
from tests.documented_forges.served import DocumentedForge
from tests.gogs import Gogs
from tests.twins.forge import MemoryForge

T = TypeVar("T")


@dataclass
class Side:
    """A forge with one repository."""

    forge: Forge
    repository: str
    #: Push commits to branches; returns the commit.
    push: Callable[..., str]
    #: End the forge.
    stop: Callable[[], object]
    #: Whether it shows statuses, and lists refs in one request.
    serves: bool = True
    #: Whether it keeps more than one hook.
    hooks: bool = True
    #: Whether it has pull requests.
    pulls: bool = False
    #: Characters of a status description.
    longest: int = 255


def memory_side() -> Side:
    """The twin."""
    forge = MemoryForge()
    forge.create("ada/edges")
    commits = iter(f"{number:040x}" for number in range(1, 100))

    def push(*refs: str) -> str:
        commit = next(commits)
        forge.push("ada/edges", dict.fromkeys(refs, commit))
        return commit

    return Side(forge, "ada/edges", push, lambda: setattr(forge, "reachable", False), pulls=True)


def pusher(clone: Clone) -> Callable[..., str]:
    def push(*refs: str) -> str:
        commit = clone.commit("a", str(time.monotonic_ns()))
        clone.push(*(f"+main:{ref}" for ref in refs))
        return commit

    return push


#: Forges that cannot run here: the server and the client of each.
DOCUMENTED: Mapping[
    str, tuple[type[DocumentedForge], type[GiteaForge | GitLabForge | BitbucketForge]]
] = {
    "github": (DocumentedGitHub, GitHubForge),
    "gitlab": (DocumentedGitLab, GitLabForge),
    "bitbucket": (DocumentedBitbucket, BitbucketForge),
}


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Servers of the documented forges; each is started once for all tests of a module."""
    with contextlib.ExitStack() as stack:
        running: dict[str, DocumentedForge] = {}

        def start(kind: str) -> DocumentedForge:
            if kind not in running:
                made = DOCUMENTED[kind][0](tmp_path_factory.mktemp(kind))
                running[kind] = stack.enter_context(made)
            return running[kind]

        yield start


def documented_side(forge: DocumentedForge, kind: str, name: str, folder: Path) -> Side:
    """A repository of its own in a documented forge."""
    repository = forge.add("ada", name)
    client: Any = DOCUMENTED[kind][1](forge.url, forge.tokens["bot"], sleep=lambda _: None)
    clone = Clone(folder / "clone", forge.url_to_push(repository))
    dead = lambda: setattr(client, "url", "http://127.0.0.1:9")  # noqa: E731
    longest = getattr(client, "longest_description", 255)
    return Side(client, repository, pusher(clone), dead, pulls=True, longest=longest)


#: Kinds of sides; those of another program are tests of make test-forge.
KINDS = (
    "memory",
    "folder",
    "embedded",
    *DOCUMENTED,
    pytest.param("gitea", marks=pytest.mark.gitea),
    pytest.param("gogs", marks=pytest.mark.gitea),
)


def start_side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """The side of the fixture's parameter; it ends with the test."""
    if request.param == "memory":
        yield memory_side()
    elif request.param == "folder":
        root = tmp_path / "srv"
        env = {name: os.environ[name] for name in ("PATH", "HOME")}
        process.run(["git", "init", "-q", "--bare", str(root / "ada/edges.git")], env=env)
        folder = FolderForge(root)
        clone = Clone(tmp_path / "clone", folder.remote_url("ada/edges"))
        gone = tmp_path / "gone"
        stop = lambda: root.rename(gone)  # noqa: E731
        yield Side(folder, "ada/edges", pusher(clone), stop, serves=False, hooks=False)
    elif request.param == "embedded":
        embedded = EmbeddedForge(tmp_path / "forge")
        with embedded:
            embedded.add_user("ada", "correct")
            embedded.add_user("bot", "horse", admin=True)
            embedded.create_repository("ada", "edges")
            clone = Clone(tmp_path / "clone", embedded.push_url("ada/edges", "ada", "correct"))
            client = GiteaForge(embedded.url, embedded.add_token("bot"))

            def dead() -> None:
                client.url = "http://127.0.0.1:9"

            yield Side(client, "ada/edges", pusher(clone), dead)
    elif request.param in DOCUMENTED:
        start = request.getfixturevalue("documented")
        name = f"c{abs(hash(request.node.nodeid))}"
        yield documented_side(start(request.param), request.param, name, tmp_path)
    elif request.param == "gogs":
        gogs: Gogs = request.getfixturevalue("gogs")
        repository = gogs.repository(f"c{abs(hash(request.node.nodeid))}")
        clone = Clone(tmp_path / "clone", gogs.push_url(repository))
        early = GogsForge(gogs.url, gogs.bot_token)
        yield Side(early, repository, pusher(clone), lambda: None, serves=False)
    else:
        gitea: real.Gitea = request.getfixturevalue("gitea")
        repository = gitea.repository(f"c{abs(hash(request.node.nodeid))}")
        clone = Clone(tmp_path / "clone", gitea.push_url(repository))
        client = GiteaForge(gitea.url, gitea.bot_token)
        yield Side(client, repository, pusher(clone), lambda: None, pulls=True)


def eventually(ask: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Ask until the answer is good: Gitea works some pushes off in the background."""
    until = time.monotonic() + 20
    while not good(found := ask()) and time.monotonic() < until:
        time.sleep(0.1)
    return found
