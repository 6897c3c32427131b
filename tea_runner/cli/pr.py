"""``tea-runner pr``: pull requests, and approval of their commits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import OutsideError, Refused, UsageError
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.dataset.changed_files import changed_files
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow import approve_pause_resume, approve_pull_request
from tea_runner.host.operator_name import operator_name
from tea_runner.present.visible_text import visible
from tea_runner.wiring import Site

#: Requests that are shown, and files of each that are named.
_MOST, _FILES = 20, 20


@click.group("pr")
def command() -> None:
    """List pull requests and approve their commits."""


@command.command("list")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@json_option
@click.pass_obj
def list_(context: Context, repository: str) -> None:
    """List pull requests: commit, title, author, link, changed files.

    Changed files are those of the commit, compared with the default branch; the first 20 are named. The
    20 newest requests are shown.
    """
    rows = [_PullRequestRow(each) for each in _pull_requests(context, repository)]
    if context.as_json:
        click.echo(json.dumps([row.document() for row in rows], indent=1))
        return
    for row in rows:
        for line in row.lines():
            click.echo(line)
    if not rows:
        click.echo(f"{repository} has no pull requests")


@command.command("approve")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@click.argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@click.argument("commit", metavar="COMMIT")
@json_option
@click.pass_obj
def approve(context: Context, repository: str, number: int, commit: str) -> None:
    """Approve the latest commit of a pull request for processing.

    COMMIT is the whole id. Review it first: its commands run on the workers, in the sandbox, without
    secrets or network, and can read the inputs and subdatasets of the repository. Results go only to
    the branch pull/NUMBER. Each later commit needs its own approval.
    """
    settings = context.settings
    if not settings.pull_requests:
        raise Refused(
            "pull requests are not processed here",
            hint="to approve single commits of them, set pull_requests = true in the settings",
        )
    done = approve_pull_request.approve_pull(
        _repository(context, repository).approvals, number, commit, branches=settings.branches
    )
    context.site.orders.put(
        approve_pause_resume.pull_request_approval(repository, number, commit, operator_name())
    )
    # Requested here too, for repositories without a webhook.
    context.site.plan_requests.request_plan(
        repository, f"refs/heads/{done.branch}", why=f"pull request {number} approved"
    )
    if context.as_json:
        click.echo(json.dumps({"branch": done.branch, "commit": done.head}))
        return
    click.echo(f"{done.head} is now branch {done.branch} of {repository} and will be processed")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A pull request with what the forge and git say of it."""

    pull: approve_pull_request.PullRequest
    listed: ListedPullRequest | None
    #: Paths and how they are changed; None when they are not known.
    files: Sequence[tuple[str, str]] | None


class _PullRequestRow:
    """A pull request as text and as a document."""

    def __init__(self, found: _Found) -> None:
        self._found = found

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        pull, listed, files = self._found.pull, self._found.listed, self._found.files
        return {
            "number": pull.number,
            "head": pull.head,
            "branch": pull.branch,
            "branch_tip": pull.branch_tip,
            "title": listed.title if listed else "",
            "author": listed.author if listed else "",
            "url": listed.url if listed else "",
            "files": [{"path": visible(path), "change": change} for path, change in (files or ())][
                :_FILES
            ],
            "changed": None if files is None else len(files),
        }

    def lines(self) -> Iterator[str]:
        """For a terminal; the texts of strangers are escaped."""
        pull, listed, files = self._found.pull, self._found.listed, self._found.files
        state = f"branch {pull.branch} at {pull.branch_tip}" if pull.branch_tip else "not approved"
        yield f"{pull.number}: {pull.head} {state}"
        if listed:
            yield f"  {visible(listed.title)} (by {visible(listed.author)})"
            yield f"  {visible(listed.url)}"
        if files is None:
            yield "  its changes could not be read"
            return
        for path, change in files[:_FILES]:
            yield f"  {change} {visible(path)}"
        if len(files) > _FILES:
            yield f"  and {len(files) - _FILES} more files"


def _pull_requests(context: Context, repository: str) -> list[_Found]:
    """The newest pull requests that are open; all where the forge does not say which are."""
    dataset = _repository(context, repository)
    found = approve_pull_request.pull_requests(dataset.approvals)
    listed = {each.number: each for each in context.site.forge.pull_requests(repository)}
    pulls = [pull for pull in found if not listed or pull.number in listed][:_MOST]
    if pulls:
        dataset.refresh()
        dataset.approvals.fetch_heads(*(pull.number for pull in pulls))
    default = context.site.forge_facts.branch_protection(repository).default
    base = dataset.tip(default) if default else None
    return [
        _Found(pull=pull, listed=listed.get(pull.number), files=_files(dataset, base, pull.head))
        for pull in pulls
    ]


def _files(
    dataset: ForgeDataset, base: str | None, commit: str
) -> Sequence[tuple[str, str]] | None:
    if base is None:
        return None
    try:
        return changed_files(dataset.mirror, base, commit)
    except OutsideError:
        return None


def _repository(context: Context, repository: str) -> ForgeDataset:
    if not is_repository_name(repository):
        raise UsageError(f"{repository!r} is not a repository", hint="expected OWNER/REPO")
    site: Site = context.site
    return site.repository(repository)
