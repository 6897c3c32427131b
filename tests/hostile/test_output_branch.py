"""Somebody who may push pushes to the branch that gets the results of ``main`` (``output_branch``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tea_runner.core.git.branch_results_scope import scope_of
from tests.e2e.pipelines import COPY, spec
from tests.hostile.forge import HostileForge
from tests.hostile.test_results_branches import commit

OUT = "refs/heads/published"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server, and one repository whose results go to ``published``."""
    made = HostileForge(tmp_path)
    up = spec("up", COPY, output_branch="published")
    made.make("mine", {"files": {"up/spec.yml": up}})
    yield made
    made.close()


def test_what_somebody_pushed_there_stays(forge: HostileForge) -> None:
    """Results are put there upon the pushed commit, and never over the work of somebody else.

    Neither a branch that was there first is replaced, nor one with a seal of another commit.
    """
    met = forge.meet("mine")
    assert ("settled", {"up/a.txt": b"a\n"}) == (met.state, met.outputs)
    ours, pushed = met.tips[OUT], met.tips["refs/heads/main"]
    assert pushed.encode() == forge.git("mine", "rev-parse", f"{ours}~1").strip()

    seal = f"refs/tea/outputs/{scope_of('main', ())}/{scope_of('published', ())}"
    assert seal in met.tips
    forge.git("mine", "update-ref", OUT, "refs/heads/main")
    theirs = forge.tips("mine")[OUT]
    commit(forge, "refs/heads/main", {"raw/b.txt": "b\n"}, "refs/heads/main")
    met = forge.meet("mine")
    assert ("failed", theirs) == (met.state, met.tips[OUT])
    assert "published (output_branch) is not where the results of main were put" in met.said

    forge.git("mine", "update-ref", "-d", OUT)
    met = forge.meet("mine")
    assert ("settled", {"up/a.txt": b"a\n", "up/b.txt": b"b\n"}) == (met.state, met.outputs)


def test_a_name_that_git_cannot_make_is_told(tmp_path: Path) -> None:
    """A branch below an existing one, or above it: the run ends and says so, and nothing is tried again."""
    with closing(HostileForge(tmp_path)) as forge:
        up = spec("up", COPY, output_branch="main/results")
        forge.make("mine", {"files": {"up/spec.yml": up}})
        met = forge.meet("mine")
    assert ("failed", {"up/a.txt": b"a\n"}) == (met.state, met.outputs)
    assert "main/results (output_branch) cannot be made" in met.said
    assert "git push origin :refs/heads/main" not in met.said
