"""``tea-runner retry``: run failed and cancelled datums again."""

from __future__ import annotations

import json

import click

from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.errors import NotFound
from tea_runner.core.git.result_scope import queue_namespace, scope_of
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import RETRY
from tea_runner.core.planning.run_status import RunStatus
from tea_runner.host.operator_name import operator_name


@click.command("retry")
@click.argument("name", metavar="RUN|JOB")
@json_option
@click.pass_obj
def command(context: Context, name: str) -> None:
    """Run failed, cancelled and waiting datums again, now.

    Of a run or of a job: those that failed or were cancelled, that lack content, and that wait for
    their next try. Known results are kept. A branch that was stopped because it does not settle goes
    on.
    """
    found = find_run(context, name)
    keys = _keys(context, found)
    if isinstance(found, JobRecord):
        if found.job is None:
            raise NotFound(f"the datums of job {found.id} have expired", hint="push again")
        repository, branch = found.job.repository, found.job.branch
    else:
        repository, branch = found.run.repository, found.run.branch
    site = context.site
    hurried = _hurry(context, found)
    scope = scope_of(branch, context.site.trusted_branches(repository, branch))
    forgotten = site.jobs.forget_failures(queue_namespace(repository, scope), keys)
    site.publication_counts(repository, branch).reset()
    run = site.runs.request(repository, branch, RETRY, by=operator_name()) if forgotten else None
    site.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=RETRY)
    if context.as_json:
        document = {
            "repository": repository,
            "branch": branch,
            "retried": forgotten + hurried,
            "run": run.id if run is not None else "",
        }
        click.echo(json.dumps(document, indent=1))
    elif forgotten + hurried:
        number = forgotten + hurried
        what = "1 datum" if number == 1 else f"{number} datums"
        in_run = f" in run {run.id}" if run is not None else ""
        click.echo(f"{what} will run again{in_run}; {repository} {branch} is planned now")
    else:
        click.echo(f"No datum has failed or waits; {repository} {branch} is planned again")


def _hurry(context: Context, found: RunStatus | JobRecord) -> int:
    """Have jobs that wait for their next try run now; returns how many datums they have."""
    jobs = context.site.jobs
    ids = (
        [found.id] if isinstance(found, JobRecord) else [j for p in found.pipelines for j in p.jobs]
    )
    number = 0
    for facts in jobs.facts(ids).values():
        if facts.state == "waiting" and facts.error:
            jobs.set_fields(facts.id, after="0", troubles="0")
            context.site.queues.enqueue("job", facts.id)
            number += len(facts.datums)
    return number


def _keys(context: Context, found: RunStatus | JobRecord) -> list[str]:
    """Keys of the datums that failed, were cancelled, or lack content."""
    if isinstance(found, JobRecord):
        return [key for _, key in found.datums]
    keys = {
        datum.key
        for pipeline in found.pipelines
        for datum in pipeline.datums
        if datum.state in ("failed", "cancelled") or datum.reason == "content-missing"
    }
    ids = [job for pipeline in found.pipelines for job in pipeline.jobs]
    for facts in context.site.jobs.facts(ids).values():
        if facts.state in ("failed", "cancelled"):
            keys.update(key for _, key in facts.datums)
    return sorted(keys)
