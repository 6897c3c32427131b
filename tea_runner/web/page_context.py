"""What all pages share: cached data of the site, and responses as HTML or JSON.

Redis is read at most once a second by each process, however many people watch a page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Response, jsonify, make_response, render_template

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import NotFound, QueueError, TeaError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import Run
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.present.forge_page import branch_page, forge_page
from tea_runner.web import not_found_texts
from tea_runner.web.run_page_cache import MOST_JOBS, RunView, RunViews
from tea_runner.web.visitor import visitor
from tea_runner.wiring import Site

T = TypeVar("T")

#: Rows of a table on one page.
ROWS = 100
_FRESH = 1.0
_RUN = re.compile(r"[0-9a-f]{12}")
_JOB = re.compile(r"[0-9a-f]{32}")


class PageContext:
    """Data and responses of the pages of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.views = RunViews(site, lambda: self.lately("offers", site.processes.offers))
        self._fresh: dict[object, tuple[float, object]] = {}

    # -- data ----------------------------------------------------------------------------------

    def lately(self, name: object, ask: Callable[[], T]) -> T:
        """Return the result of *ask*, cached for a second under *name*."""
        now = time.monotonic()
        known = self._fresh.get(name)
        if known is not None and now - known[0] < _FRESH:
            return known[1]  # type: ignore[return-value]
        answer = ask()
        if len(self._fresh) > 200:
            self._fresh.clear()
        self._fresh[name] = (now, answer)
        return answer

    def run(self, run: str) -> tuple[RunStatus, Mapping[str, JobRecord]]:
        """The current status of a run, with its jobs.

        :raises NotFound: when it is unknown or has expired.
        """
        if not _RUN.fullmatch(run):
            raise NotFound(not_found_texts.RUN)
        return self.lately(("run", run), lambda: self._run(run))

    def _run(self, name: str) -> tuple[RunStatus, Mapping[str, JobRecord]]:
        run = self.site.runs.get(name)
        if run is None:
            raise NotFound(not_found_texts.RUN)
        return self._stands(run)

    def _stands(self, run: Run) -> tuple[RunStatus, Mapping[str, JobRecord]]:
        ids = [job for pipeline in run.pipelines for job in pipeline.jobs]
        facts = self.site.jobs.facts(ids[:MOST_JOBS])
        offers = self.lately("offers", self.site.processes.offers)
        return run_status(run, facts, offers), facts

    def run_view(self, run: str) -> RunView:
        """The current status of a run, with its datums as a table.

        :raises NotFound: when it is unknown or has expired.
        """
        if not _RUN.fullmatch(run):
            raise NotFound(not_found_texts.RUN)
        return self.lately(("view", run), lambda: self.views.view(run))

    def listed(self, heads: list[Run]) -> list[RunStatus]:
        """The statuses of runs; those of the newest running ones with the states of their jobs."""
        found = []
        looked = 0
        for head in heads:
            if not head.has_ended and looked < 5:
                looked += 1
                found.append(self.run_view(head.id).status)
            else:
                found.append(run_status(head))
        return found

    def job(self, job: str) -> JobRecord:
        """The current state of a job.

        :raises NotFound: when it is unknown or has expired.
        """
        facts = self.site.jobs.facts([job]).get(job) if _JOB.fullmatch(job) else None
        if facts is None:
            raise NotFound(not_found_texts.JOB)
        return facts

    def repositories(self) -> list[str]:
        """Repositories with runs, the latest first, then those with only a webhook."""
        said = [*self.site.settings.repositories, *(h.repository for h in self.site.webhooks.all())]
        names = [*self.site.runs.repositories(), *sorted(said)]
        return [name for name in dict.fromkeys(names) if is_repository_name(name)]

    def forge(self, repository: str, commit: str = "") -> str:
        """URL of a repository's or a commit's page on the forge; empty where there is none."""
        said = self.site.settings.forge
        return forge_page(said.kind, said.url, repository, commit)

    def forge_branch(self, repository: str, branch: str) -> str:
        """URL of a branch's page on the forge; empty where there is none."""
        said = self.site.settings.forge
        return branch_page(said.kind, said.url, repository, branch) if branch else ""

    def _service_problems(self) -> list[str]:
        """What keeps this server from its work; nothing while Redis is away, which pages say themselves."""
        try:
            return list(self.site.processes.problems().values())
        except QueueError:
            return []

    def _problems_for_viewer(self) -> list[str]:
        try:
            is_known = visitor().viewer.is_known
        except TeaError:
            return []
        return self.lately("problems", self._service_problems) if is_known else []

    # -- responses -----------------------------------------------------------------------------

    def answer(
        self,
        template: str,
        document: Mapping[str, Any],
        *,
        as_json: bool,
        live: bool = False,
        **words: Any,
    ) -> Response:
        """The page, or its twin for programs; neither is kept by anybody on the way.

        :param live: the page asks to be loaded again every five seconds.
        """
        if as_json:
            response = jsonify(document)
        else:
            words = {"service_problems": self._problems_for_viewer(), **words}
            html = render_template(template, live=live, now=time.time(), **words)
            response = make_response(html)
        response.headers["Cache-Control"] = "no-store"
        return response


def split_json_suffix(name: str) -> tuple[str, bool]:
    """A name without ``.json`` at its end, and whether that stood there."""
    return name.removesuffix(".json"), name.endswith(".json")


def page_of(rows: list[T], number: int) -> tuple[list[T], int, int]:
    """The rows of one page, its number, and how many pages there are."""
    pages = max(1, -(-len(rows) // ROWS))
    number = min(max(1, number), pages)
    return rows[(number - 1) * ROWS : number * ROWS], number, pages
