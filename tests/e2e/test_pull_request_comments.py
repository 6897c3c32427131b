"""One comment on each pull request of a real Gitea: a plan that runs nothing, or the run."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from tests.e2e.test_branches_merge import files, open_request, shared
from tests.gitea import Gitea

__all__ = ["shared"]

Counted = tuple[str, Callable[[], int]]
HOSTILE = "@lab ![x](http:--evil) closes #1 `.txt"


def _comments(gitea: Gitea, lab: Lab, number: int) -> list[str]:
    rows: Any = gitea.api("GET", f"/repos/{lab.name}/issues/{number}/comments")
    return [str(row["body"]) for row in rows]


class Stranger:
    """A user with a fork."""

    def __init__(self, gitea: Gitea, lab: Lab) -> None:
        self._gitea, self._lab = gitea, lab
        self._password = secrets.token_hex(12)
        self.name = f"eve{time.time_ns()}"
        gitea.api(
            "POST",
            "/admin/users",
            {
                "username": self.name,
                "email": f"{self.name}@example.org",
                "password": self._password,
                "must_change_password": False,
            },
        )
        self._fork = self._post(f"/repos/{lab.name}/forks", {})["full_name"]

    def _post(self, path: str, body: object) -> Any:
        auth = (self.name, self._password)
        made = requests.post(f"{self._gitea.url}/api/v1{path}", json=body, auth=auth, timeout=30)
        made.raise_for_status()
        return made.json()

    def push(self, text: dict[str, str | None], branch: str = "change") -> str:
        """Push a commit with these files to the fork."""
        lab = self._lab
        lab.git("switch", "-q", "-C", branch)
        lab.write(text)
        commit = lab.save("propose")
        url = self._gitea.url.replace("://", f"://{self.name}:{self._password}@")
        lab.git("push", "-q", f"{url}/{self._fork}.git", branch)
        return commit

    def propose(self, branch: str = "change") -> int:
        """Open a pull request of it."""
        fields = {"head": f"{self.name}:{branch}", "base": "main", "title": "closes @lab"}
        return int(self._post(f"/repos/{self._lab.name}/pulls", fields)["number"])


def _eventually(gitea: Gitea, lab: Lab, number: int, commit: str) -> None:
    """Wait for the ref of the newest commit, which Gitea moves in the background."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        ref = lab.git("ls-remote", "origin", f"refs/pull/{number}/head").split("\t")[0]
        if ref == commit:
            pull = gitea.api("GET", f"/repos/{lab.name}/pulls/{number}")
            if pull["head"]["sha"] == commit:
                return
        time.sleep(0.1)


@pytest.mark.gitea
def test_a_fork_is_planned_and_nothing_of_it_runs(
    shared: tuple[Lab, Gitea], counted: Counted
) -> None:
    """The plan is in one comment, which each new commit replaces; names are no markup."""
    lab, gitea = shared
    lab.settings = "limits.ask_above = 2\n"
    echo, count = counted
    lab.create(files=files(echo))
    lab.push()
    lab.settle()
    lab.pull()
    assert 3 == count()
    tip = lab.tip()
    eve = Stranger(gitea, lab)
    first = eve.push({"raw/c.txt": "12345", "raw/d.txt": "12", f"raw/{HOSTILE}": "1234567"})
    number = eve.propose()
    _eventually(gitea, lab, number, first)
    hands = Hands(lab)
    assert any(f"pull request {number}" in line for line in hands.reconciler.round())
    lab.work_off()

    (text,) = _comments(gitea, lab, number)
    assert f"`{first[:12]}` **would run 3 of 5 datums, fetch 14 bytes; 1 pipeline after" in text
    assert "| ○ <code>up</code> | 3 | 2 | 0 | new 3 |" in text
    assert "waits for approval: it would compute 3 datums; limits.ask_above is 2." in text
    assert "p0 --> p1" in text
    assert "@lab" not in text
    assert "nothing runs" not in text
    assert 0 == count(), "nothing was run"
    assert tip == lab.tip()
    assert "" == lab.tip(f"pull/{number}")
    assert [] == hands.reconciler.round()

    second = eve.push(
        {
            "raw/c.txt": None,
            "raw/d.txt": None,
            f"raw/{HOSTILE}": None,
            "up/spec.yml": "pipeline: 3\n",
        }
    )
    _eventually(gitea, lab, number, second)
    hands.planner.plan(lab.name, f"pull/{number}")
    (text,) = _comments(gitea, lab, number)
    assert second[:12] in text
    assert "problem: <code>" in text
    gitea.api("PATCH", f"/repos/{lab.name}/pulls/{number}", {"state": "closed"})
    hands.planner.plan(lab.name, f"pull/{number}")
    assert {} == hands.site.pull_request_notes(lab.name).all()
    assert {} == hands.site.repository(lab.name).mirror.refs(f"refs/pull/{number}/head")
    assert 0 == count()
    hands.close()


@pytest.mark.gitea
def test_a_branch_has_its_run_in_the_comment(shared: tuple[Lab, Gitea], counted: Counted) -> None:
    """First what is to be done, then what was done, with links to the run and to its results."""
    lab, gitea = shared
    echo, _ = counted
    lab.create(files=files(echo))
    lab.push()
    lab.settle()
    lab.pull()
    lab.git("switch", "-q", "-c", "fix", "main")
    lab.write({"raw/a.txt": "A\n", "up/spec.yml": spec("up", f"{echo}; {COPY}")})
    lab.save()
    commit = lab.push()
    number = open_request(gitea, lab, "fix")
    hands = Hands(lab)
    hands.reconciler.round()
    hands.plan("fix")
    hands.planner.plan(lab.name, f"pull/{number}")
    (before,) = _comments(gitea, lab, number)
    assert "to run" in before or "waiting" in before

    lab.work_off()
    (text,) = _comments(gitea, lab, number)
    assert f"**✓ done** of `{commit[:12]}`" in text
    assert (
        "| ✓ <code>up</code> | 1 | 1 | 0 | input&#45;changed" in text or "input-changed 1" in text
    )
    run = hands.site.runs.find(commit)
    assert f"/runs/{run.id})" in text
    assert f"[results]({gitea.url}/{lab.name}/src/branch/tea/results/fix)" in text
    hands.close()


@pytest.mark.gitea
def test_no_comment_where_the_setting_says_so(shared: tuple[Lab, Gitea], counted: Counted) -> None:
    """Neither by the reconciler nor by a request."""
    lab, gitea = shared
    lab.tables = "[status]\ncomment = false\n"
    lab.create(files=files(counted[0]))
    lab.push()
    lab.git("switch", "-q", "-c", "fix", "main")
    lab.write({"raw/a.txt": "A\n"})
    lab.save()
    lab.push()
    number = open_request(gitea, lab, "fix")
    hands = Hands(lab)
    hands.reconciler.round()
    hands.planner.plan(lab.name, f"pull/{number}")
    assert [] == _comments(gitea, lab, number)
    hands.close()
