"""What the forge has and what was planned in, plan requests for the difference out.

A webhook is a hint: deliveries get lost, Redis may have been wiped, workers die.  Each round looks at
every watched repository's refs (one request a repository), and at jobs whose worker is silent.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping

from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch import belongs_to_annex, is_processed
from tea_runner.dataset.mirror import Mirror
from tea_runner.wiring import Site

log = logging.getLogger(__name__)


class Reconciler:
    """Mends what got lost."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lost = site.orphans
        self._mirrors: dict[str, Mirror] = {}

    def round(self) -> list[str]:
        """Look once; returns a line for everything that was mended."""
        mended = []
        for step in (self._jobs, self._statuses, self._branches):
            try:
                mended += step()
            except TeaError as error:
                log.warning("%s", error.message)
        return mended

    def _branches(self) -> list[str]:
        mended = []
        watched = self._site.watched()
        for gone in self._mirrors.keys() - set(watched):
            del self._mirrors[gone]
        for repository in watched:
            try:
                refs = self._refs(repository)
            except TeaError as error:
                log.warning("%s", error.message, extra={"repository": repository})
                continue
            tips = {ref.removeprefix("refs/heads/"): commit for ref, commit in refs.items()}
            self._lost.forget(repository, tips)
            wanted = filter(self._wanted, tips)
            for branch, why in self._lost.unplanned(repository, tips, wanted).items():
                self._site.plan_requests.request_plan(
                    repository, f"refs/heads/{branch}", why="reconciler"
                )
                mended.append(f"planned {repository} {branch}: {why}")
        return mended

    def _statuses(self) -> list[str]:
        """Branches of which the forge did not take all that was to be said; some in each round."""
        mended = []
        for repository, branch in self._lost.pop_failed_statuses(20):
            self._site.plan_requests.request_plan(
                repository, f"refs/heads/{branch}", why="reconciler"
            )
            mended.append(f"planned {repository} {branch}: the forge did not take a status")
        return mended

    def _wanted(self, branch: str) -> bool:
        if belongs_to_annex(branch):
            return False
        settings = self._site.settings
        return is_processed(branch, settings.branches, pull_requests=settings.pull_requests)

    def _refs(self, repository: str) -> Mapping[str, str]:
        found = self._site.forge.refs(repository, "refs/heads/")
        return self._mirror(repository).ls_remote("refs/heads/*") if found is None else found

    def _mirror(self, repository: str) -> Mirror:
        if repository not in self._mirrors:
            self._mirrors[repository] = self._site.repository(repository).mirror
        return self._mirrors[repository]

    def _jobs(self) -> list[str]:
        mended = []
        for job_id, why in self._lost.jobs().items():
            self._lost.enqueue("work", job_id)
            mended.append(f"queued job {job_id[:12]} again: {why}")
        for repository, branch in self._lost.requests():
            self._lost.enqueue("plan", json.dumps([repository, branch]))
            mended.append(f"queued the plan of {repository} {branch} again: it was in no queue")
        return mended

    def forever(self, stopped: Callable[[float], bool]) -> None:
        """A round at start and one each ``reconcile.every`` seconds, until *stopped* says so.

        :param stopped: waits so many seconds and says whether to stop.
        """
        while True:
            began = time.monotonic()
            for line in self.round():
                log.warning("%s", line)
            # Jobs of dead workers are looked for more often: that costs the forge nothing.
            left = max(0.0, self._site.settings.reconcile.every - (time.monotonic() - began))
            while left > 0:
                if stopped(min(10.0, left)):
                    return
                left -= 10.0
                try:
                    for line in self._jobs():
                        log.warning("%s", line)
                except TeaError as error:
                    log.warning("%s", error.message)
