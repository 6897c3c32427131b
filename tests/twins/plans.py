"""Plans of a :class:`MemoryLab`, and two datasets that many tests begin with."""

from __future__ import annotations

from tea_runner.core.planning.plan import PipelinePlan
from tests.twins.lab import MemoryLab
from tests.twins.specs import pfs, spec

#: A pipeline with two datums.
TWO = {"raw/a": "one", "raw/b": "two", "copy/spec.yml": spec("copy")}
#: The same, and a pipeline that reads its results.
CHAIN = {**TWO, "sum/spec.yml": spec("sum", pfs("copy", "/"))}


def plan_of(lab: MemoryLab, name: str = "copy") -> PipelinePlan:
    """The plan of a pipeline at the tip of ``main``."""
    found = lab.plan().plan.find(name)
    assert found is not None
    return found


def reasons(lab: MemoryLab, name: str = "copy") -> dict[str, tuple[str, str]]:
    """Label to action and reason."""
    return {d.label: (d.action, d.reason) for d in plan_of(lab, name).decisions}
