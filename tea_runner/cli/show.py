"""``tea-runner show``: one run or one job with all details."""

from __future__ import annotations

import json
import time

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.add_skipped_datums import with_unlisted_datums
from tea_runner.cli.downstream_runs import show_downstream
from tea_runner.cli.find_runs import echo_visible, find_run, styled_state, warn_of_server
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import TeaError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.core.planning.states import STATES
from tea_runner.present import human_units, state_words
from tea_runner.present.forge_page import branch_page, forge_page
from tea_runner.present.json_documents import job_document, run_document
from tea_runner.present.pipeline_graph import Box, dag_text
from tea_runner.present.visible_text import visible

_SHOWN = 40


@click.command("show")
@click.argument("name", metavar="RUN|JOB", shell_complete=complete_names.runs_or_jobs)
@click.option(
    "--all", "everything", is_flag=True, help="List every datum; unchanged ones from the manifest."
)
@click.option(
    "--downstream", is_flag=True, help="Show the runs of other repositories that it led to."
)
@json_option
@click.pass_obj
def command(context: Context, name: str, everything: bool, downstream: bool) -> None:
    """Show one run or job.

    A run is named by its id, its commit or its repository (the latest run). A run keeps some of its
    unchanged datums; with --all the others are read from the manifest in git.
    """
    if context.server is not None:
        remote_runs.show(context.server, name, everything=everything, as_json=context.as_json)
        return
    found = find_run(context, name)
    if downstream:
        show_downstream(context, found)
    elif isinstance(found, JobRecord):
        _show_job(context, found)
    else:
        _show_run(context, found, everything)


def _show_run(context: Context, row: RunStatus, everything: bool) -> None:
    if everything:
        try:
            row = with_unlisted_datums(context, row)
        except TeaError as error:
            # The rest of the run is in Redis, whatever became of the repository.
            click.echo(f"unchanged datums cannot be listed: {visible(error.message)}", err=True)
    if context.as_json:
        click.echo(json.dumps(run_document(row), indent=1))
        return
    run = row.run
    warn_of_server(context, row)
    click.echo(f"{styled_state(row.state).rstrip()}  {state_words.run_sentence(row)}")
    echo_visible(f"run {run.id}  {run.repository} {run.branch} {run.commit[:10]}  {run.title}")
    echo_visible(
        f"started {human_units.moment(run.started)}"
        + (f", pushed by {run.author}" if run.author else "")
    )
    if state_words.run_origin(run):
        echo_visible(state_words.run_origin(run))
    if run.cancelled_by:
        echo_visible(f"cancelled by {run.cancelled_by}")
    if run.approved_by:
        echo_visible(f"approved by {run.approved_by}")
    click.echo(f"page  {context.settings.web_url}/runs/{run.id}")
    for problem in run.problems:
        echo_visible(f"problem: {problem}")
    for sentence in state_words.retry_sentences(row, time.time()):
        echo_visible(f"retrying: {sentence}")
    boxes = [
        Box(name=each.name, state=each.state, note=state_words.progress(each))
        for each in row.pipelines
    ]
    click.echo()
    for line in dag_text(boxes, {each.name: each.upstream for each in row.pipelines}):
        click.echo(f"  {line}")
    forge = context.settings.forge
    if run.results_branch:
        page = branch_page(forge.kind, forge.url, run.repository, run.results_branch)
        echo_visible(f"results branch: {run.results_branch}  {page}")
    for each in row.pipelines:
        if each.commit:
            page = forge_page(forge.kind, forge.url, run.repository, each.commit)
            echo_visible(f"results({each.name}): {page or each.commit}")
        if each.signer:
            echo_visible(f"proven({each.name}): by {each.signer}")
        if state_words.pipeline_remark(each):
            echo_visible(f"{each.state}({each.name}): {state_words.pipeline_remark(each)}")
    _show_datums(row, everything)


def _show_datums(row: RunStatus, everything: bool) -> None:
    rows = [
        (each.name, datum)
        for each in row.pipelines
        for datum in each.datums
        if everything or datum.state != "reused"
    ]
    rows.sort(key=lambda pair: STATES.index(pair[1].state))
    if rows:
        click.echo()
    for name, datum in rows if everything else rows[:_SHOWN]:
        line = f"{datum.state}({datum.reason}): {name} {shown_label(datum.label)}  {datum.why}"
        echo_visible(
            line
            + (f"; {datum.error}" if datum.error else "")
            + (f"  {datum.job[:10]}" if datum.job else "")
        )
    if len(rows) > _SHOWN and not everything:
        click.echo(f"… and {len(rows) - _SHOWN} more; --all shows them")
    unlisted = sum(each.unlisted for each in row.pipelines)
    if unlisted and everything:
        click.echo(
            f"… and {unlisted} unchanged ones; manifest.tsv beside the results lists all datums"
        )


def _show_job(context: Context, facts: JobRecord) -> None:
    run = context.site.runs.run_of_job(facts.id)
    row = run_status(run, {facts.id: facts}) if run is not None else None
    document = job_document(facts, row)
    if context.as_json:
        click.echo(json.dumps(document, indent=1))
        return
    stopping = "  stopping" if facts.stopping else ""
    click.echo(f"{styled_state(facts.state).rstrip()}{stopping}")
    until = facts.ended or (time.time() if facts.state == "running" else 0.0)
    took = until - facts.started if facts.started and until else None
    waits = facts.state == "waiting" and facts.next_try > time.time()
    next_try = (
        f"{human_units.moment(facts.next_try)}, after {facts.troubles} tries" if waits else ""
    )
    for name, value in (
        ("job", facts.id),
        ("run", document["run"]),
        ("dataset", f"{document['repository']} {document['branch']} {document['commit'][:10]}"),
        ("pipeline", document["pipeline"]),
        ("attempt", str(facts.attempt or "none yet")),
        ("worker", facts.worker),
        ("queued", human_units.moment(facts.created)),
        ("started", human_units.moment(facts.started)),
        ("took", human_units.duration(took)),
        ("fetched", human_units.size(facts.fetched)),
        ("error", facts.error),
        ("next try", next_try),
    ):
        if value.strip():
            click.echo(f"{name + ':':11}{visible(value)}")
    click.echo(f"{'page:':11}{context.settings.web_url}/jobs/{facts.id}")
    for datum in document["datums"]:
        error = f"; {datum['error']}" if datum["error"] else ""
        reason = f"({datum['reason']})" if datum["reason"] else ""
        label = shown_label(datum["datum"])
        echo_visible(f"{datum['state']}{reason}: {label}  {datum['why']}{error}")
    click.echo(f"log: tea-runner logs {facts.id[:10]}")
