"""A user's clone whose branch moves to a results commit: what happens to the working tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import UserError
from tea_runner.dataset.local_clone import CloneDataset, open_clone
from tea_runner.host import process

_FILTER = """\
#!/bin/sh
echo started >> "$(git rev-parse --absolute-git-dir)/filters"
exec git-annex filter-process
"""


def git(*arguments: str, cwd: Path) -> str:
    """Run git in a folder; returns what it wrote."""
    done = process.run(["git", *arguments], env=os.environ, cwd=cwd)
    return done.stdout.decode().rstrip()


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[CloneDataset]:
    """A dataset with a commit ``next`` after its tip, which notes each start of git-annex's filter."""
    folder = tmp_path / "data"
    git("init", "-q", "-b", "main", str(folder), cwd=tmp_path)
    git("annex", "init", "-q", cwd=folder)
    (tmp_path / "filter").write_text(_FILTER)
    (tmp_path / "filter").chmod(0o755)
    (folder / ".gitattributes").write_text("*.txt annex.largefiles=nothing\n")
    (folder / "a.txt").write_text("a\n")
    git("add", ".", cwd=folder)
    git("commit", "-qm", "one", cwd=folder)
    git("config", "filter.annex.process", str(tmp_path / "filter"), cwd=folder)
    made = open_clone(folder, os.environ)
    yield made
    made.close()


def move(clone: CloneDataset, commit: str) -> bool:
    """Publish a commit on the branch that is checked out."""
    before = clone.tip("main")
    return clone.publish([("refs/heads/main", commit, before)])


def commit_and_go_back(folder: Path) -> str:
    """Commit everything, then check out the commit before; returns the new commit."""
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "two", cwd=folder)
    commit = git("rev-parse", "HEAD", cwd=folder)
    git("reset", "-q", "--hard", "HEAD~", cwd=folder)
    (folder / ".git/filters").unlink(missing_ok=True)
    return commit


def test_files_in_git_and_links_need_no_filter_of_the_annex(clone: CloneDataset) -> None:
    """To start it takes longer than to write the files of a results commit."""
    folder = clone.clone.worktree
    (folder / "b.txt").write_text("b\n")
    (folder / "c.dat").write_text("c\n")
    git("annex", "add", "-q", "c.dat", cwd=folder)
    commit = commit_and_go_back(folder)

    assert move(clone, commit)
    assert commit == git("rev-parse", "main", cwd=folder)
    assert ("b\n", "c\n") == ((folder / "b.txt").read_text(), (folder / "c.dat").read_text())
    assert not (folder / ".git/filters").exists()
    assert "" == git("status", "--porcelain", cwd=folder)


def test_the_annex_learns_of_an_unlocked_file(clone: CloneDataset) -> None:
    """Its filter notes the pointer, so that the next update puts the content in place."""
    folder = clone.clone.worktree
    (folder / "c.dat").write_text("c\n")
    git("annex", "add", "-q", "c.dat", cwd=folder)
    git("annex", "unlock", "-q", "c.dat", cwd=folder)
    commit = commit_and_go_back(folder)

    assert move(clone, commit)
    git("annex", "smudge", "--update", cwd=folder)
    assert "c\n" == (folder / "c.dat").read_text()


@pytest.mark.parametrize("name", ["a.txt", "b.txt"])
def test_unsaved_files_in_the_way_are_kept(clone: CloneDataset, name: str) -> None:
    """A changed file and an untracked one: the branch stays where it is."""
    folder = clone.clone.worktree
    before = git("rev-parse", "main", cwd=folder)
    (folder / name).write_text("theirs\n")
    commit = commit_and_go_back(folder)
    (folder / name).write_text("mine\n")

    with pytest.raises(UserError, match="cannot be put into your working tree"):
        move(clone, commit)
    assert before == git("rev-parse", "main", cwd=folder)
    assert "mine\n" == (folder / name).read_text()


def test_other_unsaved_files_stay_as_they_are(clone: CloneDataset) -> None:
    """A changed file in git and a touched unlocked one do not hinder, and do not change."""
    folder = clone.clone.worktree
    (folder / "c.dat").write_text("c\n")
    git("annex", "add", "-q", "c.dat", cwd=folder)
    git("annex", "unlock", "-q", "c.dat", cwd=folder)
    git("commit", "-qam", "unlocked", cwd=folder)
    (folder / "b.txt").write_text("b\n")
    commit = commit_and_go_back(folder)
    (folder / "a.txt").write_text("mine\n")
    os.utime(folder / "c.dat", (1, 1))

    assert move(clone, commit)
    assert " M a.txt" == git("status", "--porcelain", cwd=folder).rstrip()
    assert ("mine\n", "c\n") == ((folder / "a.txt").read_text(), (folder / "c.dat").read_text())
