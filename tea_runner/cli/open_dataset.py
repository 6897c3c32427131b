"""A folder in, what the verbs of a dataset work with out: the clone, its tip, its plan."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.dataset.local_clone import Clone
from tea_runner.flow.advance_branch import BranchAdvancer
from tea_runner.flow.commit_view import CommitView, open_commit
from tea_runner.flow.local_queue import LocalQueue, LocalRecomputeRequests
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.host.gc_tuning import gc_paused
from tea_runner.present.visible_text import visible


@dataclass
class OpenDataset:
    """One dataset, seen from its folder."""

    context: Context
    clone: Clone
    queue: LocalQueue
    memory: PlanningCache

    def tip(self, at: str = "HEAD") -> CommitView:
        """The commit that *at* names.

        :raises NotFound: when it names none.
        """
        mirror = self.clone.mirror
        raw = mirror.git(
            "rev-parse", "-q", "--verify", "--end-of-options", f"{at}^{{commit}}", check=False
        )
        commit = raw.decode().strip()
        if not commit:
            if at == "HEAD":
                raise NotFound("this dataset has no commit yet; save something: datalad save")
            raise NotFound(f"there is no commit {at}; git log --oneline lists them")
        return open_commit(
            self.clone.objects, commit, self.memory, subdatasets=self.clone.subdatasets
        )

    def plan(
        self, at: str = "HEAD", only: tuple[str, ...] = (), forced: Mapping[str, str] | None = None
    ) -> PlannedCommit:
        """What the commit means.

        :param forced: keys, or pipelines' names, to compute although they are known.
        """
        with gc_paused():
            return make_plan(
                self.clone,
                self.tip(at),
                failures=lambda keys: self.queue.failures("", keys),
                only=only,
                forced=forced,
            )

    def advancer(
        self, only: tuple[str, ...] = (), wishes: LocalRecomputeRequests | None = None
    ) -> BranchAdvancer:
        """Carries plans out, here."""
        return BranchAdvancer(
            dataset=self.clone,
            queue=self.queue,
            who=self.context.site.author,
            cache=self.memory,
            only=only,
            recompute_requests=wishes,
        )


def open_dataset(context: Context) -> OpenDataset:
    """The dataset that the command line works in.

    :raises UsageError: when there is no such folder.
    :raises NotFound: when it works in none, or git is missing.
    """
    if not context.directory.is_dir():
        raise UsageError(f"-C {context.directory}: there is no such directory")
    if shutil.which("git", path=context.variables.get("PATH", os.defpath)) is None:
        raise NotFound("git is not on PATH; install git 2.36 or newer (apt install git)")
    return OpenDataset(
        context, context.site.clone(context.directory), LocalQueue(), PlanningCache()
    )


def check_names(planned: PlannedCommit, names: tuple[str, ...]) -> None:
    """See that each name is a pipeline's.

    :raises NotFound: with the nearest name that is.
    """
    if names and not planned.plan.problems:
        check_pipelines(planned.tip, names)


def check_pipelines(tip: CommitView, names: tuple[str, ...]) -> None:
    """See that each name is a pipeline's.

    :raises NotFound: with the nearest name that is.
    :raises UserError: when the pipelines are at odds with one another.
    """
    known = [pipeline.name for pipeline in tip.pipelines]
    for name in names:
        if name in known:
            continue
        broken = [problem for problem in tip.pipelines.problems if problem.is_error]
        if broken:
            raise NotFound(f"there is no pipeline {name} that can be used; {broken[0]}")
        near = difflib.get_close_matches(name, known, 1)
        rest = f"there are {', '.join(known[:10])}" if known else "tea-runner init writes one"
        raise NotFound(
            f"there is no pipeline {name}; " + (f"did you mean {near[0]}?" if near else rest)
        )


def told(tip: CommitView) -> bool:
    """Whether pipeline files have errors; each is told on stderr, because what follows lacks them."""
    broken = [problem for problem in tip.pipelines.problems if problem.is_error]
    for problem in broken:
        click.echo(f"problem: {visible(str(problem))}", err=True)
    return bool(broken)
