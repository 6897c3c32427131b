"""A registry that does not answer stops the pipelines of its images, until it answers."""

from __future__ import annotations

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from workers.branch_planner import BranchPlanner
from workers.reconciler import Reconciler

#: Nothing listens there.
_IMAGE = "127.0.0.1:1/tool:1"


@pytest.mark.long
def test_the_branch_is_planned_again_while_a_registry_is_silent(forged: Lab) -> None:
    """The other pipeline goes on at once; the reconciler asks for the next plan of the branch."""
    image = {"image": _IMAGE}
    forged.write({"far/spec.yml": spec("far", COPY, transform=image), "raw/b.txt": "b\n"})
    forged.save()
    forged.push()
    site = forged.site()
    planner = BranchPlanner(site)
    advance = planner.plan("lab/data", "main")
    planner.close()
    assert advance is not None
    progress = advance.pipelines["far"]
    assert "blocked" == progress.state
    assert "registry 127.0.0.1:1 does not answer" in progress.detail
    assert advance.pipelines["up"].jobs

    run = forged.settle()
    assert run is not None
    assert {"up": "settled", "far": "blocked"} == {p.name: p.state for p in run.pipelines}
    assert "" == site.plan_requests.planned("lab/data", "main")
    assert [line for line in Reconciler(site).round() if line.startswith("planned lab/data main")]
