"""A plain folder of bare repositories: listed, pushed to, announced, without any server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.core.deliveries.delivery_events import TEST_DELIVERY, Ignored, PushEvent
from tea_runner.core.deliveries.delivery_signature import is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.errors import ForgeError
from tea_runner.forge.folder import FolderForge
from tea_runner.host import process
from tests.clone import Clone
from tests.receiver import Recorder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one repository and things that are none."""
    root = tmp_path / "srv with space"
    env = {name: os.environ[name] for name in ("PATH", "HOME")}
    process.run(["git", "init", "-q", "--bare", str(root / "lab" / "edges.git")], env=env)
    (root / "lab" / "notes").mkdir()
    (root / "lab" / "empty.git").mkdir()
    return root


def test_repositories_are_listed_by_pattern(root: Path) -> None:
    """Only real ones."""
    assert FolderForge(root).repositories(["*/*"]) == ["lab/edges"]
    assert FolderForge(root).repositories(["other/*"]) == []
    assert FolderForge(root).check() == []


def test_git_pushes_to_the_remote_url(root: Path, tmp_path: Path) -> None:
    """A file address; branches are then known, packed or not."""
    folder = FolderForge(root)
    clone = Clone(tmp_path / "clone", folder.remote_url("lab/edges"))
    first = clone.commit("a")
    clone.push("main", "main:refs/heads/x/y")
    clone.git("--git-dir", str(root / "lab/edges.git"), "pack-refs", "--all")
    second = clone.commit("b")
    clone.push()
    assert folder.branches("lab/edges") == {"main": second, "x/y": first}


def test_a_hook_announces_pushes_as_gitea_does(root: Path, tmp_path: Path) -> None:
    """Signed, one per branch, none for private refs; the test delivers nothing moved."""
    folder = FolderForge(root)
    clone = Clone(tmp_path / "clone", folder.remote_url("lab/edges"))
    tip = clone.commit("a")
    with Recorder() as recorder:
        made = folder.add_webhook("lab/edges", url=f"{recorder.url}/h", secret="s")
        clone.push("main", "main:refs/tea/x")
        (came,) = recorder.wait(1)
        assert is_signed(came.body, came.headers["x-gitea-signature"], ["s"])
        assert parse_gitea_delivery(came.event, came.body) == PushEvent(
            repository="lab/edges", repository_id=None, ref="refs/heads/main", after=tip
        )
        (hook,) = folder.webhooks("lab/edges")
        assert (hook.id, hook.url, hook.active) == (made, f"{recorder.url}/h", True)
        folder.test_webhook("lab/edges", made)
        assert len(recorder.wait(2)) == 2
    folder.remove_webhook("lab/edges", made)
    assert list(folder.webhooks("lab/edges")) == []
    assert list((root / "lab/edges.git/hooks").glob("post-receive")) == []


def test_the_test_of_a_hook_is_one_in_a_dataset_too(root: Path, tmp_path: Path) -> None:
    """Beside git-annex's own branches, whose deliveries are ignored before they are looked at."""
    folder = FolderForge(root)
    clone = Clone(tmp_path / "clone", folder.remote_url("lab/edges"))
    clone.commit("a")
    clone.push("main:refs/heads/git-annex")
    with Recorder() as recorder:
        made = folder.add_webhook("lab/edges", url=f"{recorder.url}/h", secret="s")
        with pytest.raises(ForgeError, match="has no branch yet; push something first"):
            folder.test_webhook("lab/edges", made)
        clone.push("main", "main:refs/heads/synced/main")
        recorder.wait(2)
        recorder.kept.clear()
        folder.test_webhook("lab/edges", made)
        (came,) = recorder.wait(1)
    event = parse_gitea_delivery(came.event, came.body)
    assert isinstance(event, Ignored)
    assert TEST_DELIVERY == event.reason


def test_a_receiver_that_is_away_costs_a_line(root: Path, tmp_path: Path) -> None:
    """The push goes through, and the pusher is told in one line."""
    folder = FolderForge(root)
    folder.add_webhook("lab/edges", url="http://127.0.0.1:9/h", secret="s")
    clone = Clone(tmp_path / "clone", folder.remote_url("lab/edges"))
    tip = clone.commit("a")
    said = clone.push()
    assert said.count("tea-runner:") == 1
    assert "the push is found later" in said
    assert folder.branches("lab/edges") == {"main": tip}
    with pytest.raises(ForgeError, match="cannot be reached"):
        folder.test_webhook("lab/edges", "post-receive")


def test_a_hook_of_somebody_else_stays(root: Path) -> None:
    """It is named, and nothing is overwritten."""
    theirs = root / "lab/edges.git/hooks/post-receive"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("#!/bin/sh\n")
    with pytest.raises(ForgeError, match="exists and is not a hook of tea-runner"):
        FolderForge(root).add_webhook("lab/edges", url="http://x", secret="s")
    assert theirs.read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize("name", ["lab/none", "../lab/edges", "lab", "lab/.."])
def test_what_is_no_repository_is_named_with_the_next_step(root: Path, name: str) -> None:
    """No name leads out of the folder."""
    with pytest.raises(ForgeError, match="git init --bare"):
        FolderForge(root).remote_url(name)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By the check, in a sentence."""
    (problem,) = FolderForge(tmp_path / "none").check()
    assert problem.endswith("is not a folder; create it, or change forge.url")
