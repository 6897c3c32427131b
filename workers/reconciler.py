"""Reconciler: requests plans of branches that were not planned, and queues lost jobs again.

Deliveries of webhooks get lost, Redis may be flushed, workers die.  Each round compares the refs of
every watched repository (one request each) with what was planned, and the jobs in Redis with the queues.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import ANNEX_BRANCH, exclusion, holds_results, source_branch
from tea_runner.core.planning.worker_requirement import Offered, class_text, unoffered_class
from tea_runner.dataset.mirror import Mirror
from tea_runner.host.log_redaction import redact_logs
from tea_runner.wiring import Site
from workers.commit_statuses import CommitStatuses
from workers.missed_pull_requests import LostPullRequests
from workers.note_next_tick import request_due_plans
from workers.superseded_runs import SupersededRuns

log = logging.getLogger(__name__)


class Reconciler:
    """Repairs what was lost."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._consistency = site.consistency
        self._mirrors: dict[str, Mirror] = {}
        self._tips: dict[str, Mapping[str, str]] = {}
        #: Repositories to the tips of their ``git-annex`` branches in the last round.
        self._annex_tips: dict[str, str] = {}
        self._ends = SupersededRuns(site, CommitStatuses(site))
        self._pulls = LostPullRequests(site)
        self._is_indexed = False
        #: Why the forge could not be compared in the last round; empty when it could.
        self.problem = ""
        #: What the workers offered in the last round, and the branches that waited for others alone.
        self._offers: frozenset[Offered] | None = None
        self._stuck: set[tuple[tuple[str, str], frozenset[str]]] = set()
        redact_logs(site.redactor.redact_text)

    def round(self) -> list[str]:
        """Repair once; returns a line for each repair."""
        repairs = []
        for step in (
            self._jobs,
            self._workers,
            self._schedules,
            self._statuses,
            self._webhooks,
            self._branches,
            self._runs,
            self._pulls.repair,
        ):
            try:
                repairs += step()
            except TeaError as error:
                log.warning("%s", error.message)
        self._note(repairs)
        return repairs

    def _note(self, repairs: list[str]) -> None:
        """Keep repairs for the page of workers, which can do without them."""
        if repairs:
            with contextlib.suppress(TeaError):
                self._site.repair_log.add(repairs, time.time())

    def _branches(self) -> list[str]:
        repairs = []
        problem = ""
        self._tips.clear()
        try:
            watched = self._site.watched()
        except TeaError as error:
            self.problem = error.message
            raise
        for repository in self._mirrors.keys() - set(watched):
            del self._mirrors[repository]
            self._annex_tips.pop(repository, None)
        for repository in watched:
            try:
                refs = self._refs(repository)
            except TeaError as error:
                problem = problem or error.message
                log.warning("%s", error.message, extra={"repository": repository})
                continue
            tips = {ref.removeprefix("refs/heads/"): commit for ref, commit in refs.items()}
            self._tips[repository] = tips
            self._consistency.forget(repository, tips)
            processed = filter(self._is_processed, tips)
            for branch, why in self._consistency.unplanned(repository, tips, processed).items():
                self._site.plan_requests.request_plan(
                    repository, f"refs/heads/{branch}", why="reconciler"
                )
                repairs.append(f"planned {repository} {branch}: {why}")
            moved = tips.get(ANNEX_BRANCH, "")
            if moved != self._annex_tips.setdefault(repository, moved):
                # A branch that waits for content is found above; here are those that failed.
                self._annex_tips[repository] = moved
                self._site.plan_requests.request_plan(
                    repository, f"refs/heads/{ANNEX_BRANCH}", why="reconciler"
                )
            for branch in self._deleted_sources(tips):
                self._site.plan_requests.request_plan(
                    repository, f"refs/heads/{branch}", why="reconciler"
                )
                repairs.append(f"planned {repository} {branch}: its results outlived it")
        self.problem = problem
        if not problem:
            self._site.metric_counters.note_reconciled()
        return repairs

    def _deleted_sources(self, tips: Mapping[str, str]) -> list[str]:
        """Branches that are gone, although there are results beside them."""
        sources = [source_branch(tip) for tip in tips if holds_results(tip)]
        return [name for name in sources if name not in tips and self._is_processed(name)]

    def _statuses(self) -> list[str]:
        """Branches with statuses that the forge did not accept; some in each round."""
        return [
            f"planned {repository} {branch}: the forge did not accept a status"
            for repository, branch in self._consistency.replan_failed_commit_statuses(20)
        ]

    def _workers(self) -> list[str]:
        """Branches whose jobs have got or lost all workers that can do them, so that statuses say so."""
        self._site.processes.sweep()
        offers = self._site.processes.offers()
        before, self._offers = self._offers, offers
        classes = self._site.queues.lengths()
        lacking = {
            each for each, items in classes.items() if items and unoffered_class(each, offers)
        }
        changed = {
            each
            for each in classes
            if before is not None and unoffered_class(each, before) != unoffered_class(each, offers)
        }
        if not changed | lacking:
            self._stuck.clear()
            return []
        waiting: dict[tuple[str, str], set[str]] = defaultdict(set)
        plans: dict[tuple[str, str], str] = {}
        for facts in self._site.jobs.live().values():
            its = class_text(facts.needs, facts.demand)
            if facts.state == "waiting" and its in changed | lacking:
                for branch in self._site.jobs.subscribers(facts.id):
                    if its in lacking:
                        waiting[branch].add(facts.id)
                    if its in changed:
                        plans[branch] = "its jobs wait for other workers now"
        # Of a branch with only such jobs left, the results of the others are published now.
        stuck = {
            (branch, frozenset(jobs))
            for branch, jobs in waiting.items()
            if self._consistency.pending(*branch) <= jobs
        }
        plans |= {branch: "its other jobs have ended" for branch, _ in stuck - self._stuck}
        self._stuck = stuck
        for (repository, name), why in plans.items():
            self._site.plan_requests.request_plan(repository, f"refs/heads/{name}", why=why)
        return [
            f"planned {repository} {name}: {why}"
            for (repository, name), why in sorted(plans.items())
        ]

    def _schedules(self) -> list[str]:
        """Branches whose schedules have ticked."""
        return request_due_plans(self._site)

    def _webhooks(self) -> list[str]:
        """Webhooks whose repository has another name now; not by what a delivery says of itself."""
        repairs = []
        for hook in list(self._site.webhooks.all()):
            if hook.repository_id is None or "*" in hook.repository:
                continue
            try:
                name, number = self._site.forge_facts.current_name(hook.repository)
            except TeaError as error:
                log.info("%s", error.message)
                continue
            if number == hook.repository_id and name != hook.repository:
                self._site.webhooks.keep(replace(hook, repository=name))
                repairs.append(f"webhook of {hook.repository}: the repository is {name} now")
        return repairs

    def _runs(self) -> list[str]:
        """Runs that something replaced, and that have not ended; reads the open runs."""
        if not self._is_indexed:
            self._site.runs.index()
            self._is_indexed = True
        return self._ends.repair(self._tips.get)

    def _is_processed(self, branch: str) -> bool:
        settings = self._site.settings
        return not exclusion(branch, settings.branches, pull_requests=settings.pull_requests)

    def _refs(self, repository: str) -> Mapping[str, str]:
        found = self._site.forge.refs(repository, "refs/heads/")
        return self._mirror(repository).ls_remote("refs/heads/*") if found is None else found

    def _mirror(self, repository: str) -> Mirror:
        if repository not in self._mirrors:
            self._mirrors[repository] = self._site.repository(repository).mirror
        return self._mirrors[repository]

    def _jobs(self) -> list[str]:
        repairs = []
        for job_id, why in self._consistency.jobs().items():
            self._consistency.enqueue("job", job_id)
            repairs.append(f"queued job {job_id[:12]} again: {why}")
        for repository, branch in self._consistency.requests():
            self._consistency.enqueue("plan", json.dumps([repository, branch]))
            repairs.append(f"queued the plan of {repository} {branch} again: it was in no queue")
        return repairs

    def forever(self, stopped: Callable[[float], bool]) -> None:
        """Run a round now and every ``reconcile.every`` seconds; queues are checked more often.

        :param stopped: waits for so many seconds; True when the loop is to end.
        """
        while True:
            began = time.monotonic()
            for line in self.round():
                log.warning("%s", line)
            # This check costs the forge nothing.
            left = max(0.0, self._site.settings.reconcile.every - (time.monotonic() - began))
            while left > 0:
                if stopped(min(10.0, left)):
                    return
                left -= 10.0
                try:
                    repairs = [*self._jobs(), *self._workers()]
                    self._note(repairs)
                    for line in repairs:
                        log.warning("%s", line)
                    for line in self._schedules():
                        log.info("%s", line)
                except TeaError as error:
                    log.warning("%s", error.message)
