"""``tea-runner logs``: the log of a job, of all jobs of a run, or of a run here."""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from tea_runner.cli import complete_names, remote_runs
from tea_runner.cli.find_runs import find_run, need_job
from tea_runner.cli.local_logs import LocalLog, find_local_logs, latest_local_logs
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.present.visible_text import visible, visible_lines

_PAUSE = 0.5


@click.command("logs")
@click.argument(
    "name", metavar="[JOB|RUN|DATUM]", required=False, shell_complete=complete_names.logs
)
@click.argument("datum", required=False, shell_complete=complete_names.datums)
@click.option(
    "--failed", is_flag=True, help="Failed jobs only; alone, those of the latest run here."
)
@click.option("-f", "--follow", is_flag=True, help="Follow the log of a job until it ends.")
@click.option("--raw", is_flag=True, help="Print the raw bytes, with control characters.")
@json_option
@click.pass_obj
def command(
    context: Context,
    name: str | None,
    datum: str | None,
    failed: bool,
    follow: bool,
    raw: bool,
) -> None:
    """Print a job's log.

    JOB is an id or its beginning, also of a job that failed in tea-runner run here. RUN prints the
    logs of all jobs of a run on the server, RUN DATUM that of one datum, by label or key. DATUM
    alone is one that failed here. Control characters are shown as escapes such as \\x1b.
    """
    if context.server is not None and name is not None:
        remote_runs.logs(
            context.server,
            name,
            datum,
            failed=failed,
            follow=follow,
            raw=raw,
            as_json=context.as_json,
        )
        return
    if name is None:
        if not failed:
            raise UsageError("which log?", hint="name a job, a run or a datum, or give --failed")
        logs = latest_local_logs(context.site.state_folder, _dataset(context))
        if not logs:
            raise NotFound("no run in this dataset has failed", hint="tea-runner runs lists runs")
        _print_local(context, logs, raw)
        return
    logs = find_local_logs(context.site.state_folder, name) if datum is None else []
    if logs:
        _print_local(context, logs, raw)
        return
    found = find_run(context, name)
    if isinstance(found, JobRecord):
        _print_job(context, found.id, follow=follow, raw=raw)
        return
    ids = [job for row in found.pipelines for job in row.jobs]
    jobs = list(context.site.jobs.facts(ids).values())
    if datum is not None:
        jobs = [job for job in jobs if _has(job, datum)]
    if failed:
        jobs = [job for job in jobs if job.state == "failed"]
    if not jobs:
        raise NotFound(
            f"run {found.run.id} has no such job", hint=f"tea-runner show {found.run.id} lists them"
        )
    _print_jobs(context, jobs, raw)


def _dataset(context: Context) -> Path:
    """Folder of the dataset that one stands in."""
    from tea_runner.dataset.local_clone import find_clone

    return find_clone(context.directory, context.variables).worktree


def _has(job: JobRecord, datum: str) -> bool:
    return any(
        datum in (label, shown_label(label)) or (len(datum) >= 7 and key.startswith(datum))
        for label, key in job.datums
    )


def _print_local(context: Context, logs: Sequence[LocalLog], raw: bool) -> None:
    texts = [(log, log.path.read_bytes()) for log in logs]
    if context.as_json:
        rows = [
            {"job": log.id, "state": "failed", "log": data.decode("utf-8", "replace")}
            for log, data in texts
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for log, data in texts:
        labels = ", ".join(shown_label(label) for label, _ in log.datums[:3])
        _title(context, len(texts), f"{log.pipeline} {labels} {log.id[:10]}")
        (_write_raw if raw else _writer())(data)


def _print_jobs(context: Context, jobs: Sequence[JobRecord], raw: bool) -> None:
    if context.as_json:
        rows = []
        for job in jobs:
            reader = context.site.log(job.id)
            text = b"".join(reader.read(0, reader.size())).decode("utf-8", "replace")
            rows.append({"job": job.id, "state": job.state, "log": text})
        click.echo(json.dumps(rows, indent=1))
        return
    for job in jobs:
        reader = context.site.log(job.id)
        labels = ", ".join(shown_label(label) for label, _ in job.datums[:3])
        pipeline = job.job.pipeline if job.job else ""
        _title(context, len(jobs), f"{pipeline} {labels} {job.id[:10]} {job.state}")
        write: Callable[[bytes], None] = _write_raw if raw else _writer()
        for piece in reader.read(0, reader.size()):
            write(piece)


def _title(context: Context, number: int, text: str) -> None:
    """A line above each of several logs."""
    if number > 1 and not context.quiet:
        click.echo(f"=== {visible(text)} ===")


def _print_job(context: Context, job: str, *, follow: bool, raw: bool) -> None:
    facts = need_job(context, job)
    reader = context.site.log(facts.id)
    if context.as_json:
        data = b"".join(reader.read(0, reader.size()))
        document = {"job": facts.id, "state": facts.state, "log": data.decode("utf-8", "replace")}
        click.echo(json.dumps(document, indent=1))
        return
    if facts.state == "waiting" and not context.quiet:
        click.echo("The job has not started yet.", err=True)
    write: Callable[[bytes], None] = _write_raw if raw else _writer()
    while True:
        # State first, log second: output before the end of the job is not missed.
        facts = need_job(context, facts.id)
        while piece := reader.more():
            write(piece)
        if not follow or facts.state not in ("waiting", "running"):
            break
        time.sleep(_PAUSE)
    if follow and facts.state not in ("waiting", "running") and not context.quiet:
        click.echo(
            f"{facts.state}{': ' + visible_lines(facts.error) if facts.error else ''}", err=True
        )


def _write_raw(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _writer() -> Callable[[bytes], None]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held = ""

    def write(piece: bytes) -> None:
        nonlocal held
        text = held + decoder.decode(piece)
        # A carriage return may be the first half of a line end.
        held = "\r" if text.endswith("\r") else ""
        click.echo(visible_lines(text.removesuffix("\r")), nl=False)

    return write
