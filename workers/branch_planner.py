"""A repository and a branch in; its tip planned, settled as far as can be, and spoken about."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
from dataclasses import dataclass
from itertools import islice

from tea_runner.broker.job_scripts import ENDED
from tea_runner.core.errors import OutsideError, TeaError
from tea_runner.core.git.branch import is_pull_request_branch
from tea_runner.core.planning.run import DatumRow, PipelineRun, Run, run_id
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.advance_branch import BranchAdvancer
from tea_runner.flow.advance_result import AdvanceResult
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.tracked_subdatasets import tracked
from tea_runner.host.gc_tuning import gc_paused
from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.step_hook import reached, step
from tea_runner.host.structured_log import log_fields
from tea_runner.wiring import Site
from workers.commit_statuses import CommitStatuses
from workers.resource_pool import ResourcePool

log = logging.getLogger(__name__)

#: Seconds before a plan that the outside world made fail is tried again; the reconciler goes on.
_BACK_OFF = (0.2, 1.0)
_SHOWN = 500
#: Repositories that are kept open.
_WARM = 48


@dataclass(frozen=True, kw_only=True)
class _OpenDataset:
    """A repository, and what was learned of its commits."""

    repository: ForgeDataset
    memory: PlanningCache

    def rest(self) -> None:
        """Let go of what the last piece of work had no use for."""
        self.repository.objects.evict()
        self.memory.evict_unused()

    def close(self) -> None:
        """End the processes behind it."""
        self.repository.close()
        self.memory.forget()


class BranchPlanner:
    """Plans branches and settles what is finished."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._repositories = ResourcePool(self._open, _WARM)
        self._statuses = CommitStatuses(site)
        redact_logs(site.redactor.redact_text)

    def __call__(self, argument: str) -> None:
        """One request: ``["owner/name", "branch"]``."""
        repository, branch = json.loads(argument)
        self.plan(str(repository), str(branch))

    def plan(self, repository: str, branch: str) -> AdvanceResult | None:
        """Advance a branch; what fails outside is tried again, then left to the reconciler."""
        with log_fields(repository=repository, branch=branch):
            advance = self._plan(repository, branch)
        if advance is not None:
            # Now that nobody waits for it, what the next plan would have to learn before its fetch.
            with contextlib.suppress(TeaError, OSError):
                known = self._repositories[repository]
                known.repository.index.learn()
                known.rest()
        return advance

    def _plan(self, repository: str, branch: str) -> AdvanceResult | None:
        with self._site.plan_requests.lock(repository, branch) as mine:
            if not mine:
                # Whoever is at it may have read the tip before the latest push.
                self._site.queues.enqueue("plan", json.dumps([repository, branch]))
                return None
            reached("plan")
            why = self._site.plan_requests.begin(repository, branch)
            if is_pull_request_branch(branch) and not self._site.settings.pull_requests:
                # Asked for before the setting was taken back, or by somebody who writes to the queue.
                log.warning("not planned: pull requests are not processed here")
                return None
            for pause in (*_BACK_OFF, None):
                try:
                    return self._advance(repository, branch, mine, pushed=why != ENDED)
                except OutsideError as error:
                    log.warning("not planned: %s", error.message)
                    if pause is None:
                        self._say(repository, branch, error.message)
                        return None
                    time.sleep(pause)
                except TeaError as error:
                    log.warning("not planned: %s", error.message)
                    self._say(repository, branch, error.message)
                    return None
        return None

    def _open(self, name: str) -> _OpenDataset:
        return _OpenDataset(repository=self._site.repository(name), memory=self._memory())

    def _memory(self) -> PlanningCache:
        return PlanningCache(strict_hashes=self._site.settings.annex.strict_hashes)

    def _advance(self, name: str, branch: str, mine: str, *, pushed: bool) -> AdvanceResult | None:
        known = self._repositories[name]
        repository, memory = known.repository, known.memory
        # Before the fetch: what it takes away stays known.
        repository.index.learn()
        with step("refresh"):
            # What jobs of this host have pushed is here already.
            repository.refresh(expected=pushed)
        advancer = BranchAdvancer(
            dataset=repository,
            queue=self._site.jobs,
            who=self._site.author,
            cache=memory,
            throughput=functools.partial(self._site.throughputs.get, name),
            recompute_requests=self._site.recompute_requests(name, branch),
        )
        with step("advance"), gc_paused():
            advance = advancer.advance(branch)
        known.rest()
        if advance is None:
            return None
        self._register(name, branch, advance.planned.tip)
        self._site.superdatasets.announce(name, branch, advance.commit)
        said = True
        if advance.pipelines or advance.problems:
            with step("remember"):
                run = self._remember(repository, branch, advance)
            with step("status"):
                said = self._statuses.post(run, advance)
        # Last of all: whatever ends this process before leaves the branch to the reconciler.
        plans = self._site.plan_requests
        if not plans.complete(
            name,
            branch,
            advance.commit,
            mine,
            missing_at=advance.missing_at,
            statuses_accepted=said,
            waits_for_jobs=any(progress.jobs for progress in advance.pipelines.values()),
        ):
            plans.request_plan(name, f"refs/heads/{branch}", why="Redis lost what was planned")
        reached("plan.end")
        return advance

    def _register(self, name: str, branch: str, tip: CommitView) -> None:
        """Have this branch planned again when a subdataset that it tracks moves."""
        names = []
        with contextlib.suppress(TeaError):
            subdatasets = tip.tree.subdatasets
            if subdatasets is not None:
                names += [subdatasets.name(submodule) for submodule, _ in tracked(tip).values()]
        self._site.superdatasets.register(name, branch, names)

    def _remember(self, repository: ForgeDataset, branch: str, advance: AdvanceResult) -> Run:
        commit = repository.objects.commit(advance.origin)
        upstream, homes = _drawing(advance)
        pipelines = []
        for progress in advance.pipelines.values():
            order = {"run": 0, "failed": 1, "wait": 2, "reuse": 3, "current": 4}
            datums = sorted(progress.moving, key=lambda d: order.get(d.action, 5))[:_SHOWN]
            still = (d for d in progress.decisions if d.action == "current")
            datums += islice(still, _SHOWN - len(datums))
            pipelines.append(
                PipelineRun(
                    name=progress.pipeline,
                    upstream=upstream.get(progress.pipeline, []),
                    home=homes.get(progress.pipeline, ""),
                    state=progress.state,
                    counts=dict(progress.counts),
                    detail=progress.detail,
                    commit=progress.commit,
                    jobs=progress.jobs,
                    datums=[
                        DatumRow(d.label, d.key, d.action, d.reason, d.detail, d.source)
                        for d in datums
                    ],
                )
            )
        return self._site.runs.save(
            Run(
                id=run_id(repository.name, branch, advance.origin),
                repository=repository.name,
                branch=branch,
                commit=advance.origin,
                title=commit.subject,
                author=commit.author,
                pipelines=pipelines,
                problems=list(advance.problems),
            )
        )

    def _say(self, repository: str, branch: str, sentence: str) -> None:
        with contextlib.suppress(TeaError, OSError):
            mirror = self._repositories[repository].repository.mirror
            # What was never fetched, because it is refused, still has a commit to say it beside.
            ref = f"refs/heads/{branch}"
            commit = mirror.tip(branch) or mirror.ls_remote(ref).get(ref)
            if commit:
                self._statuses.obstacle(repository, commit, sentence)

    def close(self) -> None:
        """End the processes behind it."""
        self._repositories.close()


def _drawing(advance: AdvanceResult) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What a picture of the run needs: who reads whom, and where each has its home."""
    if advance.problems:
        return {}, {}
    tip = advance.planned.tip
    above = {p.name: [other.name for other in tip.pipelines.upstream(p)] for p in tip.pipelines}
    return above, {p.name: p.home for p in tip.pipelines}
