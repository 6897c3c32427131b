"""Pull requests that propose the results of a trusted branch, where the settings say so.

The forge is the memory: an open one is found by its branches, and one that was closed by the digest of
its results.  So the loss of Redis opens nothing twice.
"""

from __future__ import annotations

import logging

from tea_runner.core.deliveries.registered_webhook import matches_repository
from tea_runner.core.errors import TeaError
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.results.results_pull_request_digest import proposal_digest
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.compare_manifests import proposed_results
from tea_runner.present import results_pull_request as shown
from tea_runner.present.forge_page import file_page
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

_WITHDRAWN = "These results are on the branch already, or were replaced by others."


class ResultsPullRequests:
    """Opens them and keeps them as the results are."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def update(self, dataset: ForgeDataset, branch: str, result: BranchProgress, run: str) -> bool:
        """Open or edit the pull request of a branch, once nothing is under way any more.

        :param run: id of the run.
        :returns: whether nothing is left to do there.
        :raises QueueError: when Redis does not answer.
        """
        patterns = self._site.settings.results.pull_requests
        if not any(matches_repository(each, dataset.name) for each in patterns):
            return True
        notes = self._site.pull_request_notes(dataset.name)
        commit = result.commit if result.results_branch else ""
        try:
            if not result.ended or dataset.scope(branch) or notes.proposed(branch) == commit:
                return True
            if commit:
                self._propose(dataset, branch, result, run)
            else:
                self._withdraw(dataset, branch)
        except TeaError as error:
            log.warning("the pull request with results was not written: %s", error.message)
            return False
        notes.note_proposed(branch, commit)
        return True

    def _propose(
        self, dataset: ForgeDataset, branch: str, result: BranchProgress, run: str
    ) -> None:
        tree = result.planned.tip.tree
        base = open_commit(dataset.objects, result.pushed, tree.cache)
        datums = proposed_results(result.planned.tip, base)
        if not datums:
            return
        forge, name = self._site.settings.forge, dataset.name
        title = shown.proposal_title(result.origin, datums)
        text = shown.proposal_text(
            result.origin,
            datums,
            lambda path, raw: file_page(forge.kind, forge.url, name, result.commit, path, raw=raw),
            run=f"{self._site.settings.web_url}/runs/{run}",
            branch=branch,
        )
        text = self._site.redactor.redact_text(text)
        opened = self._opened(name, branch, result.results_branch)
        if opened is not None:
            if (opened.title, opened.text) != (title, text):
                self._site.forge.edit_pull_request(name, opened.number, title=title, text=text)
            return
        if proposal_digest(datums) in self._declined(name, branch, result.results_branch):
            log.info("results of %s are not proposed: they were declined", branch)
            return
        self._site.forge.open_pull_request(
            name, head=result.results_branch, base=branch, title=title, text=text
        )

    def _withdraw(self, dataset: ForgeDataset, branch: str) -> None:
        """Close the pull request, without its digest: nobody has declined these results."""
        opened = self._opened(dataset.name, branch, dataset.results_branch(branch))
        if opened is not None:
            self._site.forge.edit_pull_request(
                dataset.name, opened.number, title=opened.title, text=_WITHDRAWN, close=True
            )

    def _opened(self, repository: str, branch: str, source: str) -> ListedPullRequest | None:
        rows = self._site.forge.pull_requests(repository)
        return next((row for row in rows if _is_ours(row, repository, branch, source)), None)

    def _closed(self, repository: str, branch: str, source: str) -> list[ListedPullRequest]:
        rows = self._site.forge.pull_requests(repository, closed=True)
        # Whoever may open a pull request could decline results by closing it.
        return [row for row in rows if row.own and _is_ours(row, repository, branch, source)]

    def _declined(self, repository: str, branch: str, source: str) -> set[str]:
        closed = self._closed(repository, branch, source)
        return {shown.proposed_digest(row.text) for row in closed if row.state == "closed"}


def _is_ours(pull: ListedPullRequest, repository: str, branch: str, source: str) -> bool:
    return (pull.source, pull.target, pull.branch) == (repository, branch, source)
