"""``tea-runner recompute``: compute known results on the server again."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import find_run
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.flow import cancel_retry_recompute
from tea_runner.host.operator_name import operator_name
from tea_runner.present.visible_text import visible


@click.command("recompute")
@click.argument("name", metavar="RUN|JOB", shell_complete=complete_names.runs_or_jobs)
@click.argument(
    "words",
    nargs=-1,
    metavar="[PIPELINE|DATUM]...",
    shell_complete=complete_names.pipelines_or_datums,
)
@json_option
@click.pass_obj
def command(context: Context, name: str, words: tuple[str, ...]) -> None:
    """Compute known results on the server again; replace what differs.

    Of a run, of some of its pipelines or datums, or of a job. A datum is named by its label (after its
    pipeline for one of them) or the first 8 or more digits of its key. Equal bytes change nothing.
    Different bytes replace the result, and the pipeline is reported as not reproducible.
    """
    if context.server is not None:
        remote_runs.recompute(context.server, name, words, as_json=context.as_json)
        return
    found = find_run(context, name)
    if isinstance(found, JobRecord):
        wanted, datums = cancel_retry_recompute.datums_of_job(found)
    else:
        wanted, datums = cancel_retry_recompute.datums_of_run(found.run, words)
    done = cancel_retry_recompute.recompute(context.site, found, wanted, datums, operator_name())
    run, repository, branch = done.run, done.repository, done.branch
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
