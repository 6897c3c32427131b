"""Somebody who may push puts a ref where results are to be, or one with a name that git takes for another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.cli.forge_repository_checks import check_refs
from tea_runner.core.errors import CommandError, OutsideError
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec, tree
from tests.gitea import Gitea
from tests.hostile.forge import HostileForge

A = {"up/a.txt": b"a\n"}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server and one repository, not planned yet."""
    made = HostileForge(tmp_path)
    made.make("mine", {})
    yield made
    made.close()


def _put(forge: HostileForge, ref: str) -> None:
    forge.git("mine", "update-ref", ref, "refs/heads/main")


@pytest.mark.parametrize(
    "ref",
    [
        "refs/tea/jobs",
        "refs/tea/approvals/x",
        "refs/tea/scopes",
        "refs/heads/refs/heads/main",
        "refs/tags/refs/heads/main",
        "refs/heads/refs/tea/jobs",
        "refs/heads/heads/main",
        "refs/tags/main",
        "refs/heads/HEAD",
        "refs/kept/trusted",
        "refs/push/x",
        "refs/remotes/origin/main",
    ],
)
def test_results_are_published_past_an_obstacle(forge: HostileForge, ref: str) -> None:
    """Before the first plan, and between the job and its results commit."""
    _put(forge, ref)
    assert forge.meet("mine").outputs == A

    forge.git("mine", "update-ref", "-d", ref)
    forge.git("mine", "update-ref", "refs/heads/other", "refs/heads/main~1")
    forge.planner.plan("lab/mine", "other")
    for job in forge.site.jobs.waiting():
        forge.worker(job)
    for each in forge.tips("mine"):
        if each.startswith(("refs/tea/", f"{ref}/")) and ref.startswith("refs/tea/"):
            forge.git("mine", "update-ref", "-d", each)
    _put(forge, ref)
    assert forge.meet("mine", "other").outputs == A


def test_what_is_ours_is_cleared_and_nothing_else(forge: HostileForge) -> None:
    """The ref of a person with an odd name stays."""
    _put(forge, "refs/tea/jobs")
    _put(forge, "refs/heads/refs/heads/main")
    forge.meet("mine")

    assert "refs/tea/jobs" not in forge.tips("mine")
    assert "refs/heads/refs/heads/main" in forge.tips("mine")


def test_an_obstacle_that_is_not_ours_is_named(forge: HostileForge) -> None:
    """A branch ``git-annex/x`` excludes the branch ``git-annex``: the error says so, and what to do."""
    forge.git("mine", "update-ref", "-d", "refs/heads/git-annex")
    _put(forge, "refs/heads/git-annex/x")
    mirror = forge.site.repository("lab/mine").mirror
    mirror.fetch()
    tip = mirror.tip("main")
    assert tip is not None

    with pytest.raises(OutsideError, match="refs/heads/git-annex/x on the forge is in the way"):
        mirror.push([("refs/heads/git-annex", tip, None)])
    (found,) = check_refs(forge.site, "lab/mine")
    assert ("warning", True) == (
        found.state,
        "git push origin :refs/heads/git-annex/x" in found.text,
    )


def test_a_ref_that_moved_is_not_an_obstacle(forge: HostileForge) -> None:
    """Compare-and-swap holds with names that are ambiguous as well; so does all or none."""
    _put(forge, "refs/heads/refs/heads/main")
    mirror = forge.site.repository("lab/mine").mirror
    mirror.fetch()
    tip, other = mirror.tip("main"), mirror.tip("git-annex")
    assert tip is not None
    assert other is not None
    before = forge.tips("mine")

    assert not mirror.push([("refs/heads/main", other, other), ("refs/tea/x/y", tip, None)])
    assert before == forge.tips("mine")
    assert not mirror.push([("refs/heads/main", other, tip), ("refs/heads/git-annex", tip, tip)])
    assert before == forge.tips("mine")
    assert mirror.push([("refs/heads/main", other, tip), ("refs/tea/x/y", tip, None)])
    assert {"refs/heads/main": other, "refs/tea/x/y": tip} == {
        ref: oid for ref, oid in forge.tips("mine").items() if before.get(ref) != oid
    }
    assert {} == mirror.refs("refs/push/")


def _compare_and_swap(lab: Lab) -> None:
    """With an ambiguous name over HTTP, refs move all or none, each from its expected value only."""
    mirror = lab.site().repository(lab.name).mirror
    mirror.fetch()
    tip = mirror.tip("main")
    assert tip is not None
    other = lab.git("rev-parse", "HEAD~1").strip()
    before = mirror.ls_remote()
    for updates in (
        [("refs/heads/main", other, other)],
        [("refs/heads/main", other, None)],
        [("refs/heads/main", other, tip), ("refs/tea/x/y", other, tip)],
    ):
        assert not mirror.push(updates)
        assert before == mirror.ls_remote()
    assert mirror.push([("refs/heads/main", other, tip), ("refs/tea/x/y", tip, None)])
    changed = {"refs/heads/main": other, "refs/tea/x/y": tip}
    assert before | changed == mirror.ls_remote()


@pytest.mark.gitea
def test_a_collaborator_on_gitea_stops_nothing(gitea: Gitea, tmp_path: Path) -> None:
    """What Gitea accepts of it, all at once."""
    name = gitea.repository(f"refs-{time.time_ns()}", bot="write")
    lab = Lab(tmp_path, forge=gitea.as_bot(tmp_path), push_url=gitea.push_url(name), name=name)
    try:
        lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        lab.push()
        put = []
        for ref in ("refs/tea/jobs", "refs/tea", "refs/heads/refs/heads/main", "refs/tags/main"):
            try:
                lab.git("push", "-q", "origin", f"HEAD:{ref}")
                put.append(ref)
            except CommandError:
                continue
        run = lab.settle()
        lab.git("fetch", "-q", "origin", "+refs/heads/main:refs/remotes/origin/main")
        lab.git("merge", "-q", "--ff-only", "refs/remotes/origin/main")
        _compare_and_swap(lab)
    finally:
        lab.close()
    assert {"refs/tea/jobs", "refs/heads/refs/heads/main"} <= set(put)
    assert run is not None
    assert "settled" == run.state
    assert {"up/a.txt": "a\n"} == tree(lab, "up")
