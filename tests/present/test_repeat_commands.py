"""Links to the forge, and commands that repeat a job."""

from __future__ import annotations

import pytest

from tea_runner.present.forge_page import branch_page, file_page, forge_page
from tea_runner.present.repeat_commands import FinishedJob, StorageAddress, repeat_commands


def commands(**more: object) -> list[str]:
    """The commands of a job whose pipeline has an odd name."""
    said: dict[str, object] = {
        "remote": "http://forge/lab/edges.git",
        "repository": "lab/edges",
        "commit": "c0ffee",
        "pipeline": "x; rm -rf ~",
        "labels": ("in:a b.txt", "in:c"),
        **more,
    }
    return repeat_commands(FinishedJob(**said))  # type: ignore[arg-type]


def test_links_lead_to_the_configured_forge_only() -> None:
    """Names are quoted; a folder has no pages."""
    page = forge_page("gitea", "http://forge:3000/", "lab/a b", "c0ffee")
    assert page == "http://forge:3000/lab/a%20b/commit/c0ffee"
    assert forge_page("folder", "/srv/git", "lab/edges") == ""


def test_bitbucket_has_branch_and_commit_behind_the_path() -> None:
    """And its projects and repositories below words."""
    about = ("bitbucket", "http://forge", "LAB/a")
    page = "http://forge/projects/LAB/repos/a"
    assert f"{page}/commits/c0" == forge_page(*about, "c0")
    assert f"{page}/browse?at=refs%2Fheads%2Fa%2Fb" == branch_page(*about, "a/b")
    assert f"{page}/browse/d/e%23?at=c0" == file_page(*about, "c0", "d/e#")
    assert f"{page}/raw/d/e%23?at=c0" == file_page(*about, "c0", "d/e#", raw=True)


@pytest.mark.parametrize(
    ("kind", "branch", "file", "raw"),
    [
        ("gitea", "src/branch/a/b", "src/commit/c0/d/e%23", "raw/commit/c0/d/e%23"),
        ("gogs", "src/a/b", "src/c0/d/e%23", "raw/c0/d/e%23"),
        ("gitlab", "-/tree/a/b", "-/blob/c0/d/e%23", "-/raw/c0/d/e%23"),
        ("github", "tree/a/b", "blob/c0/d/e%23", "raw/c0/d/e%23"),
    ],
)
def test_each_forge_has_its_own_pages(kind: str, branch: str, file: str, raw: str) -> None:
    """Of a branch, and of a file at a commit."""
    about = (kind, "http://forge", "lab/a")
    expected = [f"http://forge/lab/a/{path}" for path in (branch, file, raw)]
    found = [branch_page(*about, "a/b"), file_page(*about, "c0", "d/e#")]
    assert expected == [*found, file_page(*about, "c0", "d/e#", raw=True)]


def test_commands_to_repeat_a_job_are_quoted() -> None:
    """What is pasted into a shell runs what it says, whatever a pipeline is called."""
    identity = [
        "git config user.name >/dev/null || export GIT_AUTHOR_NAME=me GIT_COMMITTER_NAME=me",
        "git config user.email >/dev/null || "
        "export GIT_AUTHOR_EMAIL=me@localhost GIT_COMMITTER_EMAIL=me@localhost",
    ]
    begin = ["git clone http://forge/lab/edges.git edges", "cd edges"]
    assert commands() == [
        *begin,
        "git checkout -q -b again c0ffee",
        *identity,
        "tea-runner exec --pipeline 'x; rm -rf ~' -- 'in:a b.txt' in:c",
    ]
    assert "tea-runner run 'x; rm -rf ~'" == commands(labels=())[-1]
    pinned = "tea-runner exec --pipeline 'x; rm -rf ~' --image x@sha256:1 -- in:c"
    assert pinned == commands(labels=("in:c",), image="x@sha256:1")[-1]
    assert commands(results="beef") == [
        *begin,
        "git checkout -q beef",
        *identity,
        "record=$(git log -1 --format=%H)",
        'datalad rerun "$record"',
    ]
    exact = commands(results="beef", key="k1")[-2]
    assert exact == "record=$(git log -1 --format=%H --grep='Tea-Key: k1')"


def test_storages_are_enabled_with_addresses_and_without_passwords() -> None:
    """Each storage with its shown fields, quoted; built-in ones and the forge need no words."""
    storage = StorageAddress(
        name="big",
        options=(("bucket", "a b"), ("url", "https://me:secret@s3/"), ("password", "secret")),
        variables=("AWS_ACCESS_KEY_ID",),
    )
    found = commands(results="beef", storages=(StorageAddress(name="origin"), storage))
    assert [
        "enable_storages() {",
        "  # Storage big needs credentials in AWS_ACCESS_KEY_ID.",
        "  if git show origin/git-annex:remote.log | grep -qF ' name=big '; then",
        "    git annex enableremote big 'bucket=a b' 'url=https://…@s3/'",
    ] == found[6:10]
    assert "secret" not in "".join(found)
