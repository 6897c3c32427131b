"""Page of the open pull requests of a repository, with the button that approves a commit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from tea_runner.core.errors import NotFound
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.flow import approve_pause_resume
from tea_runner.web import not_found_texts
from tea_runner.web.cancel_and_retry_pages import acting_person
from tea_runner.web.page_context import PageContext
from tea_runner.web.visitor import visitor

#: Newest pull requests that are listed.
_MOST = 50


@dataclass(frozen=True, kw_only=True)
class PullRequestView:
    """An open pull request, and the run of its newest commit."""

    pull: ListedPullRequest
    #: None before that commit was approved.
    run: RunStatus | None
    #: Whether an approval of that commit is on its way.
    approved: bool

    @property
    def link(self) -> str:
        """Its page on the forge; empty where that is no page."""
        return self.pull.url if self.pull.url.startswith(("https://", "http://")) else ""

    @property
    def waits(self) -> bool:
        """Whether its newest commit waits for an approval."""
        return self.run is None and not self.approved and bool(self.pull.commit)


def add_pull_request_pages(routes: Blueprint, desk: PageContext) -> None:
    """Add ``/repos/OWNER/NAME/pulls``, and the confirmation of an approval."""
    path = "/repos/<owner>/<name>/pulls"
    routes.add_url_rule(path, "pull_requests", partial(_list, desk))
    approve = f"{path}/<int:number>/approve"
    routes.add_url_rule(approve, "ask_pull_request", partial(_ask, desk), methods=["GET"])
    routes.add_url_rule(approve, "do_pull_request", partial(_do, desk), methods=["POST"])


def pull_request_rows(desk: PageContext, repository: str) -> list[PullRequestView]:
    """The newest open pull requests of a repository that is processed here.

    :raises NotFound: when it is not.
    :raises ForgeError: when the forge does not answer.
    """
    if repository not in desk.lately("repositories", desk.repositories):
        raise NotFound(not_found_texts.REPOSITORY)
    site = desk.site
    pulls = desk.lately(("pulls", repository), lambda: site.forge.pull_requests(repository)[:_MOST])
    given = {
        (order.branch, order.commit)
        for order in site.orders.lately()
        if (order.kind, order.repository) == ("approve pull request", repository)
    }
    rows = []
    for pull in pulls:
        branch = f"{PULL_REQUEST_PREFIX}{pull.number}"
        run = site.runs.head(site.runs.current(repository, branch))
        known = run is not None and run.commit == pull.commit and not run.superseded
        rows.append(
            PullRequestView(
                pull=pull,
                run=desk.listed([run])[0] if run is not None and known else None,
                approved=(branch, pull.commit) in given,
            )
        )
    return rows


def pull_request_document(row: PullRequestView) -> dict[str, Any]:
    """A pull request, for programs."""
    pull = row.pull
    return {
        "number": pull.number,
        "title": pull.title,
        "author": pull.author,
        "url": pull.url,
        "commit": pull.commit,
        "target": pull.target,
        "waits_for_approval": row.waits,
        "run": row.run.run.id if row.run is not None else "",
    }


def _list(desk: PageContext, owner: str, name: str) -> Response:
    repository = f"{owner}/{name}"
    rows = pull_request_rows(desk, repository)
    return desk.answer(
        "pull_requests.html",
        {},
        as_json=False,
        repository=repository,
        rows=rows,
        processed=desk.site.settings.pull_requests,
        writes=visitor().writes(repository),
        forge=lambda commit: desk.forge(repository, commit),
        command=f"tea-runner pr list {repository}",
    )


def _ask(desk: PageContext, owner: str, name: str, number: int) -> Response:
    repository = f"{owner}/{name}"
    row = next((r for r in pull_request_rows(desk, repository) if r.pull.number == number), None)
    if row is None:
        raise NotFound(not_found_texts.PAGE)
    pull = row.pull
    return desk.answer(
        "confirm.html",
        {},
        as_json=False,
        question=f"Approve commit {pull.commit[:12]} of pull request {number} by {pull.author}?",
        consequence="Review it first: its commands run on the workers, in the sandbox, without secrets or "
        "network, and can read the inputs and subdatasets of the repository. Results go only to the branch "
        f"pull/{number}. Each later commit needs its own approval.",
        label="Approve",
        by=acting_person(),
        back=url_for("pages.pull_requests", owner=owner, name=name),
        target=url_for("pages.do_pull_request", owner=owner, name=name, number=number),
        fields={"commit": pull.commit},
        command=f"tea-runner pr approve {repository} {number} {pull.commit}",
    )


def _do(desk: PageContext, owner: str, name: str, number: int) -> Response:
    commit = request.form.get("commit", "")[:64]
    if f"{owner}/{name}" not in desk.lately("repositories", desk.repositories):
        raise NotFound(not_found_texts.REPOSITORY)
    approve_pause_resume.approve_pull_request(
        desk.site, f"{owner}/{name}", number, commit, acting_person()
    )
    return redirect(  # type: ignore[return-value]
        url_for("pages.pull_requests", owner=owner, name=name), 303
    )
