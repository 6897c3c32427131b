"""``tea-runner recompute``: compute known results on the server again."""

from __future__ import annotations

import json
import time
import uuid

import click

from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.datums.datum import is_label, shown_label
from tea_runner.core.errors import NotFound
from tea_runner.core.git.result_scope import queue_namespace, scope_of
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import RECOMPUTE, Run
from tea_runner.host.operator_name import operator_name
from tea_runner.present.visible_text import visible


def new_request_id() -> str:
    """Id of a recompute request; ids sort by time."""
    return f"{time.time():017.3f}-{uuid.uuid4().hex[:8]}"


@click.command("recompute")
@click.argument("name", metavar="RUN|JOB")
@click.argument("words", nargs=-1, metavar="[PIPELINE|DATUM]...")
@json_option
@click.pass_obj
def command(context: Context, name: str, words: tuple[str, ...]) -> None:
    """Compute known results on the server again; replace what differs.

    Of a run, of some of its pipelines or datums, or of a job. A datum is named by its label or the
    first 8 or more digits of its key. Equal bytes change nothing. Different bytes replace the result,
    and the pipeline is reported as not reproducible.
    """
    found = find_run(context, name)
    if isinstance(found, JobRecord):
        if found.job is None:
            raise NotFound(f"the datums of job {found.id} have expired", hint="name its run")
        repository, branch = found.job.repository, found.job.branch
        wanted = {key: key for _, key in found.job.datums}
        datums = set(wanted)
    else:
        repository, branch = found.run.repository, found.run.branch
        wanted, datums = _requested(found.run, words)
    site = context.site
    scope = scope_of(branch, site.trusted_branches(repository, branch))
    site.jobs.forget_failures(queue_namespace(repository, scope), sorted(datums))
    site.recompute_requests(repository, branch).add(wanted, new_request_id())
    run = site.runs.request(repository, branch, RECOMPUTE, by=operator_name())
    site.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=RECOMPUTE)
    if context.as_json:
        document = {
            "repository": repository,
            "branch": branch,
            "recompute": sorted(wanted),
            "run": run.id if run is not None else "",
        }
        click.echo(json.dumps(document, indent=1))
    else:
        what = ", ".join(map(visible, map(shown_label, sorted(set(wanted.values()))[:5])))
        more = "" if len(wanted) <= 5 else f" and {len(wanted) - 5} more"
        in_run = f" in run {run.id}" if run is not None else ""
        click.echo(f"{what}{more} of {repository} {branch} will be computed again{in_run}")


def _requested(run: Run, words: tuple[str, ...]) -> tuple[dict[str, str], set[str]]:
    """Keys or names of pipelines with their label, and all keys of these.

    :raises NotFound: when a word is neither a pipeline nor a datum.
    """
    rows = {p.name: [(row[0], row[1]) for row in p.datums] for p in run.pipelines}
    wanted: dict[str, str] = {}
    keys: set[str] = set()
    for word in words or tuple(rows):
        if word in rows:
            wanted[word] = f"pipeline {word}"
            keys |= {key for _, key in rows[word]}
            continue
        matching = {
            key: label
            for datums in rows.values()
            for label, key in datums
            if is_label(word, label) or (len(word) >= 8 and key.startswith(word))
        }
        if not matching:
            raise NotFound(
                f"run {run.id} has no pipeline or datum {word}",
                hint=f"tea-runner show {run.id} lists them",
            )
        wanted.update(matching)
        keys |= matching.keys()
    return wanted, keys
