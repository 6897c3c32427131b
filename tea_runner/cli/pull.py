"""``tea-runner pull``: pull requests, and approval of their commits."""

from __future__ import annotations

import json

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import Refused, UsageError
from tea_runner.core.webhook import is_repository_name
from tea_runner.flow import approve_pull_request
from tea_runner.wiring import Site


@click.group("pull")
def command() -> None:
    """List pull requests and approve their commits."""


@command.command("list")
@click.argument("repository", metavar="OWNER/REPO")
@click.pass_obj
def list_(context: Context, repository: str) -> None:
    """List pull requests, and whether their latest commit is approved."""
    refs = _mirror(context, repository)
    found = approve_pull_request.pull_requests(refs)
    if context.as_json:
        rows = [
            {
                "number": pull.number,
                "head": pull.head,
                "branch": pull.branch,
                "branch_tip": pull.branch_tip,
            }
            for pull in found
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for pull in found:
        approved = f"branch {pull.branch} at {pull.branch_tip[:12]}" if pull.branch_tip else ""
        click.echo(f"{pull.number}: {pull.head[:12]} {approved or 'not approved'}")
    if not found:
        click.echo(f"{repository} has no pull requests")


@command.command("approve")
@click.argument("repository", metavar="OWNER/REPO")
@click.argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@click.argument("commit", metavar="COMMIT")
@click.pass_obj
def approve(context: Context, repository: str, number: int, commit: str) -> None:
    """Approve the latest commit of a pull request for processing.

    Review COMMIT first: its commands run on the workers, in the sandbox, without secrets or network,
    and can read the inputs and subdatasets of the repository. Results go only to the branch
    pull/NUMBER. Each later commit needs its own approval.
    """
    settings = context.settings
    if not settings.pull_requests:
        raise Refused(
            "pull requests are not processed here; to approve single commits of them, set "
            "pull_requests = true in the settings"
        )
    done = approve_pull_request.approve_pull(
        _mirror(context, repository), number, commit, branches=settings.branches
    )
    # Requested here too, for repositories without a webhook.
    context.site.plan_requests.request_plan(
        repository, f"refs/heads/{done.branch}", why=f"pull request {number} approved"
    )
    if context.as_json:
        click.echo(json.dumps({"branch": done.branch, "commit": done.head}))
        return
    click.echo(
        f"{done.head[:12]} is now branch {done.branch} of {repository} and will be processed"
    )


def _mirror(context: Context, repository: str) -> approve_pull_request.PullRefs:
    if not is_repository_name(repository):
        raise UsageError(f"{repository!r} is not a repository; expected OWNER/REPO")
    site: Site = context.site
    return site.repository(repository).mirror
