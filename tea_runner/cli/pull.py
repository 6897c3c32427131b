"""``tea-runner pull``: have one commit of a pull request processed, once somebody has looked at it."""

from __future__ import annotations

import json

import click

from tea_runner.cli.main import Context
from tea_runner.core.errors import Refused, UsageError
from tea_runner.core.hook import is_repository_name
from tea_runner.flow import pull_requests
from tea_runner.wiring import Site


@click.group("pull")
def command() -> None:
    """Have commits of pull requests processed, each after somebody has looked at it."""


@command.command("list")
@click.argument("repository", metavar="OWNER/REPO")
@click.pass_obj
def list_(context: Context, repository: str) -> None:
    """Show pull requests, and whether their newest commit was approved."""
    refs = _mirror(context, repository)
    found = pull_requests.pull_requests(refs)
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
        stands = f"branch {pull.branch} at {pull.branch_tip[:12]}" if pull.branch_tip else "waits"
        click.echo(f"{pull.number}: {pull.head[:12]} {stands}")
    if not found:
        click.echo(f"{repository} has no pull requests")


@command.command("approve")
@click.argument("repository", metavar="OWNER/REPO")
@click.argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@click.argument("commit", metavar="COMMIT")
@click.pass_obj
def approve(context: Context, repository: str, number: int, commit: str) -> None:
    """Have the newest commit of a pull request processed.

    COMMIT is the one that you have looked at, all of it: its commands run on the workers, in the
    sandbox, without secrets or network, and may read what the repository's inputs and subdatasets hold.
    Results go to the branch pull/NUMBER and nowhere else.  A later commit has to be approved again.
    """
    settings = context.settings
    if not settings.pull_requests:
        raise Refused(
            "pull requests are not processed here; set pull_requests = true in the settings to "
            "let commits of them be approved, one by one"
        )
    done = pull_requests.approve_pull(
        _mirror(context, repository), number, commit, branches=settings.branches
    )
    # The push is announced as any other is; this way it is found without a hook, too.
    context.site.plan_requests.request_plan(
        repository, f"refs/heads/{done.branch}", why=f"pull request {number} approved"
    )
    if context.as_json:
        click.echo(json.dumps({"branch": done.branch, "commit": done.head}))
        return
    click.echo(f"{done.head[:12]} is now branch {done.branch} of {repository} and is processed")


def _mirror(context: Context, repository: str) -> pull_requests.PullRefs:
    if not is_repository_name(repository):
        raise UsageError(f"{repository!r} is no repository; write OWNER/REPO")
    site: Site = context.site
    return site.repository(repository).mirror
