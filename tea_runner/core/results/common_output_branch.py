"""The branch that all pipelines of a commit name for their results (``output_branch``).

In Pachyderm each pipeline has a repository of its own, whose branch this is.  Here the results of one push
are one chain of commits, so all pipelines have to name the same branch.
"""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.core.pipeline import Pipeline

#: Pachyderm's default names: the branch that was pushed.
PUSHED_BRANCH = ("master", "main")


def wanted_branches(pipelines: Sequence[Pipeline]) -> tuple[str, ...]:
    """The branches that the pipelines name, sorted; the empty text is the pushed branch."""
    named = (pipeline.output_branch for pipeline in pipelines)
    return tuple(sorted({"" if name in PUSHED_BRANCH else name for name in named}))


def output_branch(pipelines: Sequence[Pipeline]) -> str:
    """The one branch that all pipelines name; empty for the pushed branch, and where they differ."""
    wanted = wanted_branches(pipelines)
    return wanted[0] if len(wanted) == 1 else ""
