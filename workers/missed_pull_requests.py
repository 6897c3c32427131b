"""Finds pull requests whose delivery was lost: those whose newest commit nobody has looked at."""

from __future__ import annotations

import logging

from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

#: Rounds of the reconciler for one look.
_ROUNDS = 10


class LostPullRequests:
    """Requests what was lost: one request to the forge for each repository, in some rounds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._round = 0

    def repair(self) -> list[str]:
        """Look, in one of ten rounds; returns a line for each repair."""
        due = self._round % _ROUNDS == 0
        self._round += 1
        if not due or not self._site.settings.status.comment:
            return []
        repairs = []
        for repository in self._site.watched():
            try:
                repairs += self._look(repository)
            except TeaError as error:
                log.warning("%s", error.message, extra={"repository": repository})
        return repairs

    def _look(self, repository: str) -> list[str]:
        notes = self._site.pull_request_notes(repository)
        known = notes.all()
        pulls = {pull.number: pull for pull in self._site.forge.pull_requests(repository)}
        notes.forget(known.keys() - pulls.keys())
        repairs = []
        for number, pull in pulls.items():
            if number in known and known[number].commit == pull.commit:
                continue
            ref = f"refs/heads/{PULL_REQUEST_PREFIX}{number}"
            self._site.plan_requests.request_plan(repository, ref, why="reconciler")
            repairs.append(f"looked at pull request {number} of {repository}: its commit is new")
        return repairs
