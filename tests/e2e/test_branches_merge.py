"""Branches of several people stay mergeable: their results are beside them, and nothing runs twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, pfs, spec, tree
from tests.gitea import Gitea

Counted = tuple[str, Callable[[], int]]


@pytest.fixture
def shared(tmp_path: Path, gitea: Gitea) -> Iterator[tuple[Lab, Gitea]]:
    """A dataset on a real Gitea, whose bot looks after it."""
    name = gitea.repository(f"branches-{time.time_ns()}", bot="write")
    root = tmp_path / "lab"
    root.mkdir()
    lab = Lab(root, forge=gitea.as_bot(root), push_url=gitea.push_url(name), name=name)
    yield lab, gitea
    lab.close()


def files(echo: str) -> dict[str, str]:
    """Two subjects, a step for each of them, and one over all results of that."""
    return {
        **ATTRIBUTES,
        "raw/a.txt": "a\n",
        "raw/b.txt": "b\n",
        "up/spec.yml": spec("up", f"{echo}; {COPY}"),
        "all/spec.yml": spec(
            "all", f'{echo}; cat "$PFS"/in/*.txt > "$PFS/out/all.txt"', pfs("up", "/")
        ),
    }


def open_request(gitea: Gitea, lab: Lab, branch: str) -> int:
    """A pull request of a branch."""
    asked = {"head": branch, "base": "main", "title": branch}
    return int(gitea.api("POST", f"/repos/{lab.name}/pulls", asked)["number"])


def merge(gitea: Gitea, lab: Lab, number: int, how: str) -> None:
    """What the button does; Gitea answers 405 while it looks whether the request can be merged."""
    until = time.monotonic() + 30
    while True:
        try:
            asked = {"Do": how, "delete_branch_after_merge": True}
            gitea.api("POST", f"/repos/{lab.name}/pulls/{number}/merge", asked)
            return
        except requests.HTTPError as error:
            if error.response.status_code != 405 or time.monotonic() > until:
                raise AssertionError(f"not merged: {error.response.text}") from error
            time.sleep(0.3)


@pytest.mark.gitea
@pytest.mark.parametrize("how", ["merge", "squash"])
def test_two_branches_merge_on_a_real_gitea(
    shared: tuple[Lab, Gitea], counted: Counted, how: str
) -> None:
    """Two people correct a subject each; both requests merge, and only what is new of both runs."""
    lab, gitea = shared
    echo, count = counted
    lab.create(files=files(echo))
    lab.push()
    lab.settle()
    lab.pull()
    assert 3 == count()
    numbers = {}
    for branch in ("a", "b"):
        lab.git("switch", "-q", "-c", branch, "main")
        lab.write({f"raw/{branch}.txt": f"{branch} corrected\n"})
        pushed = lab.save(f"correct {branch}")
        lab.push()
        run = lab.settle(branch=branch)
        assert run is not None
        assert ("settled", pushed, 2) == (run.state, run.commit, count())
        assert pushed == lab.tip(branch), "the branch is left alone"
        lab.git("fetch", "-q", "origin", f"tea/results/{branch}")
        found = lab.git("show", "FETCH_HEAD:all/all.txt")
        assert f"{branch} corrected\n" in found
        lab.git("merge-base", "--is-ancestor", pushed, "FETCH_HEAD")
        numbers[branch] = open_request(gitea, lab, branch)
    lab.write({"README": "x\n"})
    pushed = lab.save("describe")
    lab.push()
    lab.settle(branch="b")
    assert 0 == count(), "a further push replaces the results, and runs nothing"
    lab.git("fetch", "-q", "origin", "+tea/results/b:refs/replaced")
    assert "b corrected\n" in lab.git("show", "refs/replaced:all/all.txt")
    lab.git("merge-base", "--is-ancestor", pushed, "refs/replaced")
    row = lab.site().forge.commit_statuses(lab.name, pushed)["tea-runner/up"]
    assert ("success", "2 reused; results in tea/results/b") == row

    merge(gitea, lab, numbers["a"], how)
    lab.settle()
    assert 0 == count(), "all results of the first branch are known"
    merge(gitea, lab, numbers["b"], how)
    lab.settle()
    assert 1 == count(), "only the sum of both is new"
    for branch in ("a", "b"):
        lab.settle(branch=branch)
        assert ("", "") == (lab.tip(branch), lab.tip(f"tea/results/{branch}"))
    lab.settle()
    assert 0 == count()
    lab.git("switch", "-q", "main")
    lab.pull()
    expected = {
        "all/all.txt": "a corrected\nb corrected\n",
        "up/a.txt": "a corrected\n",
        "up/b.txt": "b corrected\n",
    }
    assert expected == tree(lab, "up", "all")


def _correct_on_a_branch(lab: Lab, echo: str) -> None:
    """Settle the main branch, and push a branch ``a`` that corrects the file of this name."""
    lab.create(files=files(echo))
    lab.push()
    lab.settle()
    lab.pull()
    lab.git("switch", "-q", "-c", "a", "main")
    lab.write({"raw/a.txt": "a corrected\n"})
    lab.save("correct a")
    lab.push()


@pytest.mark.long
def test_a_deleted_branch_is_known_to_a_new_planner(lab: Lab, counted: Counted) -> None:
    """Its results stay on the forge; a server that has lost its mirrors and Redis runs nothing again."""
    echo, count = counted
    _correct_on_a_branch(lab, echo)
    lab.settle(branch="a")
    lab.settle(branch="a")
    count()
    lab.git("push", "-q", "origin", ":refs/heads/a")
    lab.settle(branch="a")
    assert "" == lab.tip("tea/results/a")
    assert 1 == len(lab.git("ls-remote", "origin", "refs/tea/kept/*").splitlines())

    lab.forget()
    lab.git("switch", "-q", "main")
    lab.git("merge", "-q", "--squash", "a")
    lab.save("merge a")
    lab.push()
    lab.settle()
    assert 0 == count()
    lab.pull()
    assert "a corrected\nb\n" == tree(lab, "all")["all/all.txt"]


def test_a_push_between_two_pipelines_loses_nothing(lab: Lab, counted: Counted) -> None:
    """A job begins on another host after the results that it was planned upon were replaced."""
    echo, count = counted
    _correct_on_a_branch(lab, echo)
    count()
    hands, elsewhere = Hands(lab), Hands(lab, "elsewhere")
    try:
        hands.plan("a")
        hands.work()
        hands.plan("a")
        assert 1 == len(hands.site.jobs.waiting()), "that of the second pipeline"
        lab.write({"README": "x"})
        pushed = lab.save("describe")
        lab.push()
        hands.plan("a")
        elsewhere.work()
    finally:
        hands.close()
        elsewhere.close()
    run = lab.settle(branch="a")
    assert run is not None
    assert ("settled", pushed, 2) == (run.state, run.commit, count())
