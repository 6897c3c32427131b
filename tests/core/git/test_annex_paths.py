"""Paths of annex keys, compared with git-annex itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.core.git.annex_paths import (
    file_name,
    link_target,
    log_path,
    lower_directory,
    merge_location,
    mixed_directory,
)
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
KEYS = [
    f"SHA256E-s0--{DIGEST}.nii.gz",
    f"SHA256-s0--{DIGEST}",
    "MD5E-s2--60b725f10c9c85c70d97880dfe8191b3.txt",
    "MD5E-s2--60b725f10c9c85c70d97880dfe8191b3.ä",
    "WORM-s3-m1289672605--a&b%c:d",
    "URL--http&c%%example.org%x",
    *(f"MD5-s{number}--60b725f10c9c85c70d97880dfe8191b3" for number in range(40)),
]


def annex(*arguments: str, cwd: Path, stdin: bytes | None = None) -> str:
    """Run git-annex."""
    env = {**os.environ, "PATH": tool_path(os.environ)}
    done = process.run(["git", "annex", *arguments], env=env, cwd=cwd, stdin=stdin)
    return bytes(done.stdout).decode("utf-8", "surrogateescape")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty annex."""
    env = {**os.environ, "PATH": tool_path(os.environ)}
    process.run(["git", "init", "-q", str(tmp_path)], env=env)
    annex("init", "-q", cwd=tmp_path)
    return tmp_path


def test_directories_are_those_of_git_annex(repository: Path) -> None:
    """For keys of many kinds, both hash directories are what ``git annex examinekey`` prints."""
    text = "".join(key + "\n" for key in KEYS).encode()
    said = annex(
        "examinekey",
        "--batch",
        "--format=${hashdirmixed} ${hashdirlower}\\n",
        cwd=repository,
        stdin=text,
    )
    ours = [f"{mixed_directory(key)}/ {lower_directory(key)}/" for key in KEYS]

    assert said.splitlines() == ours


@pytest.mark.parametrize("key", KEYS[:5])
@pytest.mark.parametrize("path", ["x", "a/b/x"])
def test_links_are_those_of_git_annex(repository: Path, key: str, path: str) -> None:
    """A link that ``git annex fromkey`` makes has the target that is computed here."""
    annex("fromkey", "--force", key, path, cwd=repository)

    assert os.readlink(repository / path) == link_target(key, path)


def test_names_with_separators_are_escaped() -> None:
    """Slashes, colons and the escapes themselves cannot lead out of a directory."""
    assert "a&ab&sc&cd%e" == file_name("a&b%c:d/e")
    assert "/" not in file_name("URL--http://example.org/../../x")


UUID = "00000000-0000-0000-0000-00000000000a"
OTHER = "ffffffff-0000-0000-0000-00000000000b"


def test_a_log_says_what_it_was_told_and_once_is_enough() -> None:
    """The new line stands beside the other repositories' lines; a second time changes nothing."""
    first = merge_location(b"", UUID, 100)
    both = merge_location(b"90.5s 1 " + OTHER.encode() + b"\n", UUID, 100)

    assert b"100s 1 %s\n" % UUID.encode() == first
    assert first == merge_location(first, UUID, 999)
    assert first + b"90.5s 1 " + OTHER.encode() + b"\n" == both


def test_presence_after_absence_is_newer_than_it() -> None:
    """A clock that is behind cannot make a log say that content is gone."""
    gone = b"500.25s 0 " + UUID.encode() + b"\n"

    assert b"501s 1 %s\n" % UUID.encode() == merge_location(gone, UUID, 100)


def test_git_annex_reads_what_was_merged(repository: Path) -> None:
    """``git annex whereis`` sees the repository that a merged log names, and no other."""
    key = KEYS[2]
    annex("fromkey", "--force", key, "x", cwd=repository)
    annex("setpresentkey", key, UUID, "0", cwd=repository)
    annex("setpresentkey", key, OTHER, "1", cwd=repository)
    annex("merge", cwd=repository)
    env = {**os.environ, "PATH": tool_path(os.environ)}

    def git(*arguments: str, stdin: bytes | None = None) -> bytes:
        return bytes(process.run(["git", *arguments], env=env, cwd=repository, stdin=stdin).stdout)

    log = git("show", f"git-annex:{log_path(key)}")
    merged = merge_location(merge_location(log, UUID, 5), OTHER, 5)
    blob = git("hash-object", "-w", "--stdin", stdin=merged).decode().strip()
    git("read-tree", "git-annex")
    git("update-index", "--cacheinfo", f"100644,{blob},{log_path(key)}")
    tree = git("write-tree").decode().strip()
    commit = git("commit-tree", tree, "-p", "git-annex", "-m", "x").decode().strip()
    git("update-ref", "refs/heads/git-annex", commit)

    said = annex("whereis", "--key", key, "--format=${uuid}\\n", cwd=repository)
    assert {UUID, OTHER} == set(said.split())
