"""Pull requests: nothing by themselves; one commit, looked at and approved, in a room of its own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.core.errors import Refused
from tea_runner.core.git.branch_kinds import exclusion
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.flow import approve_pause_resume, approve_pull_request
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tests.cli.dataset import tea
from tests.durations import without_duration
from tests.e2e.conftest import folder_lab
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec, tree
from tests.gitea import Gitea

Counted = tuple[str, Callable[[], int]]
TRUSTED, ALL = ("main", "master"), ("*",)


@pytest.fixture
def proposed(lab: Lab, counted: Counted) -> str:
    """A settled ``main``, and a pull request that changes an input; the request's commit."""
    echo, count = counted
    lab.settings = "pull_requests = true\n"
    lab.create(
        files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", f"{echo}; {COPY}")}
    )
    lab.push()
    lab.settle()
    lab.pull()
    assert 1 == count()
    return propose(lab, "stranger")


def propose(lab: Lab, text: str) -> str:
    """What a forge does when somebody proposes a change: a ref, and no branch."""
    lab.git("switch", "-q", "--detach", "main")
    lab.write({"raw/a.txt": f"{text}\n"})
    commit = lab.save("propose")
    lab.do("git", "annex", "copy", "--quiet", "--to", "store")
    lab.git("push", "-q", "-f", "origin", "HEAD:refs/pull/1/head", "git-annex")
    lab.git("switch", "-q", "main")
    return commit


def approve(
    lab: Lab, commit: str, number: int = 1, branches: tuple[str, ...] = ALL
) -> approve_pull_request.PullRequest:
    """As a maintainer does."""
    refs = lab.site().repository(lab.name).approvals
    return approve_pull_request.approve_pull(refs, number, commit, branches=branches)


@pytest.mark.long
def test_a_pull_request_starts_nothing(lab: Lab, proposed: str, counted: Counted) -> None:
    """No branch, no job, no command, until somebody approves it; it is listed all the same."""
    tip = lab.tip()
    lab.settle()
    (pull,) = approve_pull_request.pull_requests(lab.site().repository(lab.name).approvals)
    assert (1, proposed, "") == (pull.number, pull.head, pull.branch_tip)
    assert (tip, "", 0) == (lab.tip(), lab.tip("pull/1"), counted[1]())


def test_an_approved_commit_is_computed_on_its_own_branch(
    lab: Lab, proposed: str, counted: Counted
) -> None:
    """Its results are beside ``pull/1``; ``main`` stays, and never takes a result from there."""
    tip = lab.tip()
    assert "pull/1" == approve(lab, proposed).branch
    run = lab.settle(branch="pull/1")
    assert run is not None
    assert ("settled", proposed, 1) == (run.state, run.commit, counted[1]())
    lab.git("fetch", "-q", "origin", "tea/results/pull/1")
    assert "up/a.txt" in lab.git("diff", "--name-only", proposed, "FETCH_HEAD")
    assert (tip, proposed) == (lab.tip(), lab.git("rev-parse", "FETCH_HEAD^").strip())

    # The same content on main is computed again: a stranger decides nobody else's results.
    lab.write({"raw/a.txt": "stranger\n"})
    lab.save()
    lab.push()
    lab.settle()
    lab.pull()
    assert (1, {"up/a.txt": "stranger\n"}) == (counted[1](), tree(lab, "up"))


def test_an_approval_that_was_given_on_a_page_is_carried_out_once(lab: Lab, proposed: str) -> None:
    """By the planner, in the name of who gave it; an approval of a commit that was replaced has no effect."""
    hands = Hands(lab)
    orders = hands.site.orders

    orders.put(approve_pause_resume.pull_request_approval(lab.name, 1, "0" * 40, "eve"))
    hands.plan("pull/1")
    assert "" == lab.tip("pull/1")
    orders.put(approve_pause_resume.pull_request_approval(lab.name, 1, proposed, "ada"))
    hands.plan("pull/1")
    hands.work()
    hands.plan("pull/1")
    run = hands.site.runs.latest(1)[0]
    assert (proposed, proposed, "settled", "ada") == (
        lab.tip("pull/1"),
        run.commit,
        run.state,
        run.approved_by,
    )
    hands.plan("pull/1")
    assert run.id == hands.site.runs.latest(1)[0].id
    hands.close()


@pytest.mark.long
def test_a_later_commit_is_another_one(lab: Lab, proposed: str, counted: Counted) -> None:
    """What was approved stays; what came since waits, and is refused under the old commit's name."""
    approve(lab, proposed)
    lab.settle(branch="pull/1")
    assert 1 == counted[1]()
    later = propose(lab, "something else")
    lab.settle(branch="pull/1")
    assert 0 == counted[1]()
    with pytest.raises(Refused, match=f"is {later}, not {proposed}"):
        approve(lab, proposed)
    assert later == approve(lab, later).head
    lab.settle(branch="pull/1")
    assert (1, later) == (
        counted[1](),
        lab.git("ls-remote", "origin", "refs/pull/1/head").split()[0],
    )


@pytest.mark.long
def test_a_branch_that_somebody_pushed_is_not_processed(
    lab: Lab, proposed: str, counted: Counted
) -> None:
    """Neither before an approval, nor on top of an approved commit, nor with another's approval."""
    lab.git("push", "-q", "origin", f"{proposed}:refs/heads/pull/1")
    lab.settle(branch="pull/1")
    assert 0 == counted[1]()

    approve(lab, proposed)
    lab.settle(branch="pull/1")
    assert 1 == counted[1]()
    settled = lab.tip("tea/results/pull/1")
    assert proposed == lab.tip("pull/1")
    later = propose(lab, "evil")
    lab.git("fetch", "-q", "origin", "tea/results/pull/1", "refs/tea/approvals/1:refs/sealed")
    on_top = lab.git(
        "commit-tree", "-p", settled, "-m", "up: all\n\nTea-Pipeline: up", f"{later}^{{tree}}"
    )
    for evil in (later, on_top.strip()):
        lab.git("push", "-q", "-f", "origin", f"{evil}:refs/heads/pull/1")
        lab.settle(branch="pull/1")
        lab.git("push", "-q", "-f", "origin", f"{evil}:refs/heads/pull/2")
        lab.git("push", "-q", "-f", "origin", "refs/sealed:refs/tea/approvals/2")
        lab.settle(branch="pull/2")
        assert 0 == counted[1]()
    lab.git("push", "-q", "-f", "origin", f"{proposed}:refs/heads/pull/1")
    lab.settle(branch="pull/1")
    assert (0, settled) == (counted[1](), lab.tip("tea/results/pull/1"))


@pytest.mark.long
def test_the_operator_has_to_want_it(lab: Lab, proposed: str) -> None:
    """Off unless the settings say otherwise; then one line names the branch."""
    lab.site()
    config = str(lab.root / "hosts/host/tea-runner.toml")
    off = ("--config", config, "-c", "pull_requests=false")
    done = tea(lab.root, *off, "pr", "approve", lab.name, "1", proposed)
    assert (1, True) == (done.code, "set pull_requests = true" in done.err)
    wanted = ("--config", config, "-c", "pull_requests=true", "pr")
    done = tea(lab.root, *wanted, "approve", lab.name, "1", proposed)
    expected = f"{proposed} is now branch pull/1 of {lab.name} and will be processed\n"
    assert (0, expected) == (done.code, done.out)
    done = tea(lab.root, *wanted, "list", lab.name)
    lines = [f"1: {proposed} branch pull/1 at {proposed}", "  modified raw/a.txt"]
    assert lines == done.out.splitlines()


def test_no_pattern_makes_a_pull_request_trusted() -> None:
    """``trusted_branches = ["*"]`` names all branches but those of pull requests."""
    assert ("", False) == (scope_of("feature", ["*"]), scope_of("pull/1", ["*", "pull/1"]) == "")


def test_only_a_setting_has_them_processed() -> None:
    """The pattern ``*`` does not name them while ``pull_requests`` is off."""
    found = [
        not exclusion(branch, ["*"], pull_requests=on)
        for branch in ("main", "pull/1")
        for on in (False, True)
    ]
    assert [True, True, False, True] == found


@pytest.mark.long
def test_a_branch_from_before_is_left_alone(lab: Lab, proposed: str, counted: Counted) -> None:
    """With the setting off, neither the reconciler nor a request in the queue has it planned."""
    approve(lab, proposed)
    lab.settings = ""
    lab.forget()
    assert {"main:"} == {line.split()[2] for line in Hands(lab).reconciler.round()}
    lab.settle(branch="pull/1")
    assert (proposed, 0) == (lab.tip("pull/1"), counted[1]())


@pytest.mark.long
def test_a_pull_request_has_no_network(tmp_path: Path) -> None:
    """What the operator and the pipeline agree on for ``main`` is not for ``pull/1``."""
    if BubblewrapSandbox().check():
        pytest.skip(f"engine absent: {BubblewrapSandbox().check()}")
    lab = folder_lab(tmp_path, sandbox="bwrap", network=True)
    lab.settings = "pull_requests = true\n"
    try:
        look = 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort > "$PFS/out/net"'
        lab.create(
            files={
                **ATTRIBUTES,
                "raw/a.txt": "a\n",
                "up/spec.yml": spec("up", look, transform={"network": True}),
            }
        )
        lab.push()
        lab.settle()
        lab.pull()
        commit = propose(lab, "stranger")
        approve(lab, commit)
        lab.settle(branch="pull/1")
        lab.git("fetch", "-q", "origin", "tea/results/pull/1")
        ours, theirs = (lab.git("show", f"{at}:up/net") for at in ("main", "FETCH_HEAD"))
    finally:
        lab.close()
    assert ("lo\n", True) == (theirs, ours != theirs)


@pytest.fixture
def forked(tmp_path: Path, gitea: Gitea) -> Iterator[tuple[Lab, Gitea]]:
    """A dataset on a real Gitea, whose bot looks after it."""
    name = gitea.repository(f"pulls-{time.time_ns()}")
    root = tmp_path / "lab"
    root.mkdir()
    lab = Lab(root, forge=gitea.as_bot(root), push_url=gitea.push_url(name), name=name)
    yield lab, gitea
    lab.close()


@pytest.mark.gitea
def test_a_fork_on_a_real_gitea(forked: tuple[Lab, Gitea], counted: Counted) -> None:
    """A stranger's fork proposes a change; approved, its status stands beside the request's commit."""
    lab, gitea = forked
    echo, count = counted
    lab.settings = "pull_requests = true\n"
    lab.create(
        files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", f"{echo}; {COPY}")}
    )
    lab.push()
    lab.settle()
    lab.pull()
    tip = lab.tip()
    assert 1 == count()
    password = secrets.token_hex(12)
    user = f"eve{time.time_ns()}"
    gitea.api(
        "POST",
        "/admin/users",
        {
            "username": user,
            "email": f"{user}@example.org",
            "password": password,
            "must_change_password": False,
        },
    )
    as_eve = {"auth": (user, password), "timeout": 30}
    made = requests.post(f"{gitea.url}/api/v1/repos/{lab.name}/forks", json={}, **as_eve)  # type: ignore[arg-type]
    made.raise_for_status()
    fork = made.json()["full_name"]
    lab.git("switch", "-q", "-c", "change")
    lab.write({"raw/a.txt": "stranger\n"})
    head = lab.save("propose")
    lab.do("git", "annex", "copy", "--quiet", "--to", "store")
    address = gitea.url.replace("://", f"://{user}:{password}@") + f"/{fork}.git"
    lab.git("push", "-q", address, "change")
    lab.git("switch", "-q", "main")
    said = {"head": f"{user}:change", "base": "main", "title": "another a"}
    made = requests.post(f"{gitea.url}/api/v1/repos/{lab.name}/pulls", json=said, **as_eve)  # type: ignore[arg-type]
    made.raise_for_status()
    number = made.json()["number"]
    lab.settle()
    assert (tip, 0) == (lab.tip(), count())

    (pull,) = lab.site().forge.pull_requests(lab.name)
    assert (number, "another a", user) == (pull.number, pull.title, pull.author)
    assert pull.url == f"{gitea.url}/{lab.name}/pulls/{number}"
    approve(lab, head, number)
    lab.settle(branch=f"pull/{number}")
    assert 0 == count(), "the repository does not know the content that a fork names"
    lab.git("push", "-q", "origin", "git-annex")
    run = lab.settle(branch=f"pull/{number}")
    assert run is not None
    assert ("settled", 1, tip) == (run.state, count(), lab.tip())
    state, text = lab.site().forge.commit_statuses(lab.name, head)["tea-runner/up"]
    expected = f"1 done; results in tea/results/pull/{number}"
    assert ("success", expected) == (state, without_duration(text))
    assert scope_of(f"pull/{number}", TRUSTED) != ""
