"""Somebody who may push pushes to branches below ``tea/results``, where results of other branches are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.cli.forge_repository_checks import check_refs
from tea_runner.core.git.branch_kinds import exclusion
from tea_runner.core.git.branch_results_scope import scope_of
from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge
from workers.reconciler import Reconciler

BESIDE = "refs/heads/tea/results/feature"
OTHER = {"up/a.txt": b"other\n"}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server, and one repository with a branch that is not trusted."""
    made = HostileForge(tmp_path)
    made.make("mine", {})
    made.meet("mine")
    commit(made, "refs/heads/feature", {"raw/a.txt": "other\n"}, "refs/heads/main~1")
    yield made
    made.close()


def commit(
    forge: HostileForge, ref: str, files: dict[str, str], parent: str, message: str = "x\n"
) -> str:
    """Push a commit with these files upon another."""
    who = b"E <e@example.org> 1700000100 +0000"
    text = message.encode()
    stream = b"commit refs/made\ncommitter %s\ndata %d\n%s\n" % (who, len(text), text)
    stream += b"from %s\n" % forge.git("mine", "rev-parse", parent).strip()
    for path, content in files.items():
        data = forge.fill(content).encode()
        stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
    arguments = ("fast-import", "--quiet", "--force", "--date-format=raw-permissive")
    forge.git("mine", *arguments, stdin=stream)
    made = forge.git("mine", "rev-parse", "refs/made").strip().decode()
    forge.git("mine", "update-ref", ref, made)
    forge.git("mine", "update-ref", "-d", "refs/made")
    return made


@pytest.mark.parametrize("when", ["before", "after"])
def test_another_pipeline_upon_results_does_not_run(forge: HostileForge, when: str) -> None:
    """Not with the trailers of a results commit; what we made is put back, or made."""
    parent = "refs/heads/feature"
    if when == "after":
        assert OTHER == forge.meet("mine", "feature").outputs
        parent = BESIDE
    pushed = forge.tips("mine")["refs/heads/feature"]
    evil = {"up/spec.yml": spec("up", "@CANARY@; echo evil > $PFS/out/evil")}
    said = f"x\n\nTea-Pipeline: up\nTea-Input: {pushed}\n"
    commit(forge, BESIDE, evil, parent, said)

    met = forge.meet("mine", "feature")
    assert ("settled", OTHER, pushed) == (met.state, met.outputs, met.tips["refs/heads/feature"])
    assert [] == list(forge.canaries.iterdir())


def test_a_seal_of_another_branch_does_not_count(forge: HostileForge) -> None:
    """Results of ours, and their seal, put beside another branch."""
    forge.meet("mine", "feature")
    tips = forge.tips("mine")
    evil = {"up/spec.yml": spec("up", "@CANARY@; echo evil > $PFS/out/evil")}
    pushed = tips["refs/heads/feature"]
    said = f"x\n\nTea-Pipeline: up\nTea-Input: {pushed}\n"
    commit(forge, "refs/heads/bad", evil, tips[BESIDE], said)
    sealed = tips[f"refs/tea/beside/{scope_of('feature', ())}"]
    forge.git("mine", "update-ref", "refs/heads/other", "refs/heads/feature")
    forge.git("mine", "update-ref", "refs/heads/tea/results/other", "refs/heads/bad")
    forge.git("mine", "update-ref", f"refs/tea/beside/{scope_of('other', ())}", sealed)

    assert ("settled", OTHER) == ((met := forge.meet("mine", "other")).state, met.outputs)
    assert [] == list(forge.canaries.iterdir())


def test_pushes_there_start_nothing(forge: HostileForge) -> None:
    """Whatever the name; results of a branch that is gone are deleted, and only ours are kept."""
    names = ("tea/results/tea/results/x", "tea/results/git-annex", "tea/results/gone")
    for name in names:
        forge.git("mine", "update-ref", f"refs/heads/{name}", "refs/heads/main")
        assert exclusion(name, ["*"], pull_requests=True)
    repairs = Reconciler(forge.site).round()
    assert not [line for line in repairs if "tea/results" in line]
    assert ["planned lab/mine gone: its results outlived it"] == [
        line for line in repairs if "gone" in line
    ]
    forge.planner.plan("lab/mine", "gone")
    tips = forge.tips("mine")
    assert "refs/heads/tea/results/gone" not in tips
    assert not [ref for ref in tips if ref.startswith("refs/tea/kept/")]


def test_what_is_in_the_way_of_results_is_cleared_or_named(forge: HostileForge) -> None:
    """A branch below those of results is deleted; ``tea/results`` itself is a person's, and is named."""
    forge.git("mine", "update-ref", f"{BESIDE}/x", "refs/heads/main")
    met = forge.meet("mine", "feature")
    assert (OTHER, False) == (met.outputs, f"{BESIDE}/x" in met.tips)

    for ref in [ref for ref in met.tips if ref.startswith("refs/heads/tea/")]:
        forge.git("mine", "update-ref", "-d", ref)
    forge.git("mine", "update-ref", "refs/heads/tea/results", "refs/heads/main")
    assert exclusion("tea/results", ["*"], pull_requests=True)
    (found,) = check_refs(forge.site, "lab/mine")
    assert "git push origin :refs/heads/tea/results" in found.text
