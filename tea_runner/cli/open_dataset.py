"""The dataset of the current directory: clone, commits, plan."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.dataset.local_clone import CloneDataset
from tea_runner.dataset.unsaved_files import unsaved_paths
from tea_runner.dataset.worktree_snapshot import snapshot_worktree
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.input_triggers import planning_time
from tea_runner.flow.local_queue import LocalQueue, LocalRecomputeRequests
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.pipeline_remarks import pipeline_remarks
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.host.gc_tuning import gc_paused
from tea_runner.present.visible_text import visible
from tea_runner.wiring.schedule_clocks import clock_of_clone

#: Unsaved files that are named.
_NAMED = 5
#: Problems of pipeline files that an error names.
_SHOWN_PROBLEMS = 3


@dataclass
class OpenDataset:
    """A local clone with its planning cache and local queue."""

    context: Context
    clone: CloneDataset
    queue: LocalQueue
    planner: IncrementalPlanner

    def tip(self, at: str = "HEAD") -> CommitReader:
        """A commit by its name.

        :raises NotFound: when there is none.
        """
        if at == "HEAD" and self.clone.draft:
            return self._open(self.clone.draft, is_tip=True)
        mirror = self.clone.repository
        raw = mirror.git(
            "rev-parse", "-q", "--verify", "--end-of-options", f"{at}^{{commit}}", check=False
        )
        commit = raw.decode().strip()
        if not commit:
            if at == "HEAD":
                raise NotFound(
                    "this dataset has no commit yet", hint="save something: datalad save"
                )
            raise NotFound(f"there is no commit {at}", hint="git log --oneline lists them")
        return self._open(commit, is_tip=at == "HEAD")

    def results_tip(self, at: str = "HEAD", *, fetched: bool = True) -> CommitReader:
        """As :meth:`tip`, but with the results beside the checked-out branch, if it has some.

        :param fetched: whether those do that were fetched from the forge.
        """
        name, commit = self.clone.results_of_head(fetched=fetched) if at == "HEAD" else ("", "")
        if not commit:
            return self.tip(at)
        if fetched and not (self.context.quiet or self.context.as_json):
            click.echo(f"note: the results of this branch are in {visible(name)}", err=True)
        return self._open(commit, is_tip=True)

    def look_at_folder(self, at: str) -> None:
        """Look at the folder as it is, for a verb that writes nothing.

        :param at: the commit that the command line names.
        :raises UsageError: when that is another one than the last commit.
        """
        if at != "HEAD":
            raise UsageError("--unsaved and --at cannot be combined")
        self.take_unsaved(keep_content=False)

    def take_unsaved(self, *, keep_content: bool) -> None:
        """Look at the folder as it is from now on, in place of the last commit.

        :param keep_content: whether commands are to read it.
        """
        who = self.context.site.author
        self.clone.draft = snapshot_worktree(self.clone, who, keep_content=keep_content)

    def _open(self, commit: str, *, is_tip: bool = False) -> CommitReader:
        branch = self.clone.clone.branch()
        return open_commit(
            self.clone.objects,
            commit,
            self.planner.cache,
            subdatasets=self.clone.subdatasets,
            book=self.clone.tick_book(branch) if is_tip and branch else None,
            time=planning_time(clock_of_clone(self.context.site)) if is_tip and branch else None,
        )

    def plan(
        self,
        at: str = "HEAD",
        only: tuple[str, ...] = (),
        forced: Mapping[str, str] | None = None,
        *,
        fetched: bool = False,
    ) -> PlannedCommit:
        """The plan of a commit.

        :param forced: keys, or names of pipelines, whose known results are computed again.
        :param fetched: see :meth:`results_tip`.
        """
        with gc_paused():
            return make_plan(
                self.clone,
                self.results_tip(at, fetched=fetched),
                failures=lambda keys: self.queue.failures("", keys),
                only=only,
                forced=forced,
                reuse_branches=self.reuse_branches,
                planner=self.planner,
            )

    def advancer(
        self, only: tuple[str, ...] = (), requests: LocalRecomputeRequests | None = None
    ) -> BranchAdvancer:
        """Planner and publisher for the branch that is checked out."""
        return BranchAdvancer(
            dataset=self.clone,
            queue=self.queue,
            who=self.context.site.author,
            planner=self.planner,
            only=only,
            recompute_requests=requests,
            reuse_branches=self.reuse_branches,
            clock=clock_of_clone(self.context.site, ticks=False),
        )

    def unsaved(self, at: str = "HEAD") -> list[str]:
        """Paths of unsaved files; none where another commit than the last one is looked at."""
        if at != "HEAD" or self.clone.draft:
            return []
        clone = self.clone.clone
        return unsaved_paths(clone.worktree, clone.environment.variables)

    @property
    def reuse_branches(self) -> bool:
        """Whether results of untrusted branches may count on others."""
        return self.context.settings.trust.reuse == "branch"


def open_dataset(context: Context) -> OpenDataset:
    """The dataset of the command line's directory.

    :raises UsageError: when the directory does not exist.
    :raises NotFound: when it is not in a git repository, or git is missing.
    """
    if not context.directory.is_dir():
        raise UsageError(f"-C {context.directory}: there is no such directory")
    if shutil.which("git", path=context.variables.get("PATH", os.defpath)) is None:
        raise NotFound("git is not on PATH", hint="install git 2.36 or newer (apt install git)")
    site = context.site
    planner = IncrementalPlanner(
        PlanningCache(
            strict_hashes=site.settings.annex.strict_hashes,
            allowed=site.allowed_resources,
            images=site.images,
            offer=site.offer,
            software=site.software,
        )
    )
    return OpenDataset(context, context.site.clone(context.directory), LocalQueue(), planner)


def check_names(planned: PlannedCommit, names: tuple[str, ...]) -> None:
    """Check that each name is a pipeline.

    :raises NotFound: with the most similar name.
    """
    if names:
        check_pipelines(planned.tip, names)


def check_pipelines(tip: CommitReader, names: tuple[str, ...]) -> None:
    """Check that each name is a pipeline.

    :raises NotFound: with the most similar name.
    :raises UserError: when pipelines are in conflict.
    """
    known = [pipeline.name for pipeline in tip.pipelines]
    for name in names:
        if name in known:
            continue
        broken = [problem for problem in tip.pipelines.problems if problem.is_error]
        if broken:
            errors = "; ".join(map(str, broken[:_SHOWN_PROBLEMS]))
            raise NotFound(f"there is no valid pipeline {name}; {errors}")
        near = difflib.get_close_matches(name, known, 1)
        rest = f"there are {', '.join(known[:10])}" if known else "tea-runner init writes one"
        raise NotFound(
            f"there is no pipeline {name}; " + (f"did you mean {near[0]}?" if near else rest)
        )


def report_remarks(
    tip: CommitReader,
    works: Mapping[str, PipelineInputs],
    names: tuple[str, ...],
    *,
    quiet: bool = False,
) -> None:
    """Print what pipeline files ask for and does not happen, once for each pipeline.

    :param works: see :func:`~tea_runner.flow.pipeline_remarks.pipeline_remarks`.
    """
    for line in () if quiet else pipeline_remarks(tip, works, names).lines:
        click.echo(f"remark: {visible(line)}")


def report_unsaved(context: Context, paths: Sequence[str]) -> None:
    """Print to stderr which files are not saved: verbs look at the last commit."""
    if not paths or context.quiet or context.as_json:
        return
    number = f"{len(paths)} files differ" if len(paths) > 1 else "1 file differs"
    more = f" … and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    click.echo(
        f"unsaved: {number} from the last commit, which is what counts here: "
        f"{', '.join(map(visible, paths[:_NAMED]))}{more}; datalad save keeps them, and this "
        "verb takes them with --unsaved",
        err=True,
    )


def report_problems(tip: CommitReader) -> bool:
    """Print errors of pipeline files to stderr; true when there are any."""
    broken = [problem for problem in tip.pipelines.problems if problem.is_error]
    for problem in broken:
        click.echo(f"problem: {visible(str(problem))}", err=True)
    return bool(broken)
