"""``tea-runner shell``: a shell in the sandbox of a datum, with its inputs; what it writes is kept."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tea_runner.cli import complete_names
from tea_runner.cli.find_runs import find_job
from tea_runner.cli.local_logs import find_local_logs
from tea_runner.cli.main import Context
from tea_runner.cli.named_datums import named_datums
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.core.datums.datum import is_label, shown_label
from tea_runner.core.errors import NotFound, Superseded, TeaError, UsageError
from tea_runner.core.planning.job import Job
from tea_runner.flow.enqueue_jobs import job_at_tip
from tea_runner.host.openat import remove_tree
from tea_runner.host.private_folder import make_private_folder
from tea_runner.host.terminal_relay import relayed_terminal
from tea_runner.present.visible_text import visible
from tea_runner.sandbox.execution_environment import Execution, Outcome
from workers.job_runner import JobRunner
from workers.worker_dependencies import worker_dependencies

if TYPE_CHECKING:
    from tea_runner.cli.server_client import ServerClient

#: bash where the environment has it.
_SHELL = (
    "sh",
    "-c",
    "if command -v bash >/dev/null; then exec bash --norc -i; else exec sh -i; fi",
)


@click.command("shell")
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="JOB|[PIPELINE] DATUM",
    shell_complete=complete_names.datums_or_jobs,
)
@click.pass_obj
def command(context: Context, words: tuple[str, ...]) -> int:
    """Start a shell in the sandbox of a datum, with its inputs.

    It is the sandbox of the pipeline's command: the same inputs, code, variables, limits and network.
    What is left in the folder of outputs is kept, and nothing is committed. DATUM is a datum of the last
    commit, by label or key; JOB a job of the server, or one that failed in tea-runner run here: its
    datum is made again as it was at its commit, which this clone must have. After JOB, one of its datums
    may be named. Without a terminal, the shell reads its commands from standard input.
    """
    session, job = _find(context, words)
    dependencies = worker_dependencies(session.context.site)
    runner = JobRunner(session.clone, dependencies)
    kept = _new_folder(context, job)
    folder = Path(tempfile.mkdtemp(prefix="room-", dir=dependencies.scratch.path))
    try:
        outcome = _run(context, runner, job, folder, kept)
    finally:
        runner.close()
        remove_tree(folder)
        if not any(kept.iterdir()):
            kept.rmdir()
    if outcome.overflow or outcome.oom:
        click.echo(outcome.overflow or "the memory limit was exceeded", err=True)
    return outcome.code or 0


def _run(context: Context, runner: JobRunner, job: Job, folder: Path, kept: Path) -> Outcome:
    """Make the room, run the shell in it, and keep the outputs, however it ends."""
    try:
        environment, execution, home = runner.provision(job, folder)
    except Superseded as error:
        raise NotFound(
            f"this clone does not have commit {job.commit[:12]} of the job",
            hint="git fetch; or cd into the dataset of the job",
        ) from error
    _introduce(context, job, execution)
    try:
        with _connected(execution) as connected:
            return environment.run(connected)
    finally:
        # With view: dataset, outputs are below the home of the pipeline.
        code = execution.code or folder
        _keep(code / home if execution.out is None else execution.out, kept)


def _find(context: Context, words: tuple[str, ...]) -> tuple[OpenDataset, Job]:
    """The dataset and a job with one datum."""
    logs = [log for log in find_local_logs(context.site.state_folder, words[0]) if log.commit]
    if logs and logs[0].id.startswith(words[0]):
        log = logs[0]
        session = open_dataset(replace(context, directory=Path(log.dataset)))
        planned = session.plan(log.commit)
        if log.pipeline not in planned.works:
            raise NotFound(f"commit {log.commit[:12]} has no pipeline {log.pipeline} any more")
        job = job_at_tip(session.clone.name, "", planned, log.pipeline, "")
        return session, replace(job, datums=(_of_job(log.datums, words),))
    found = _of_server(context, words)
    session = open_dataset(context)
    if found is not None:
        return session, found
    planned = session.plan("HEAD")
    keys, pipelines = named_datums(planned, words)
    pairs = [
        (name, (item.label, item.key))
        for name in pipelines
        for item in planned.works[name].keyed
        if item.key in keys
    ]
    if not pairs:
        raise UsageError(
            f"{words[0]} is a pipeline", hint=f"name a datum: tea-runner datums {words[0]}"
        )
    if len(pairs) > 1:
        names = ", ".join(sorted({name for name, _ in pairs}))
        raise UsageError(
            f"{words[0]} is a datum of several pipelines", hint=f"name one before it: {names}"
        )
    name, pair = pairs[0]
    return session, replace(job_at_tip(session.clone.name, "", planned, name, ""), datums=(pair,))


def _of_server(context: Context, words: tuple[str, ...]) -> Job | None:
    """A job of the server that is set, with one datum; None where there is no server or no such job."""
    if context.server is not None:
        return _by_api(context.server, words)
    try:
        record = find_job(context, words[0])
    except TeaError:
        return None
    if record is None or record.job is None:
        return None
    failed = [pair for pair in record.datums if pair[1] in record.failures] or record.datums
    return replace(record.job, datums=(_of_job(failed, words),))


def _by_api(server: ServerClient, words: tuple[str, ...]) -> Job | None:
    """The same from the API of a server on another computer."""
    try:
        found = server.get("find", name=words[0])
    except NotFound:
        return None
    if not found["job"]:
        raise UsageError(f"{words[0]} is a run", hint=f"name a job: tea-runner show {words[0]}")
    about = server.get("jobs", found["job"])
    pairs = [(str(row["datum"]), str(row["key"]), row["state"]) for row in about["datums"]]
    failed = [(label, key) for label, key, state in pairs if state == "failed"]
    datum = _of_job(failed or [(label, key) for label, key, _ in pairs], words)
    return Job(
        repository=str(about["repository"]),
        branch=str(about["branch"]),
        commit=str(about["commit"]),
        pipeline=str(about["pipeline"]),
        datums=(datum,),
    )


def _of_job(
    datums: tuple[tuple[str, str], ...] | list[tuple[str, str]], words: tuple[str, ...]
) -> tuple[str, str]:
    """The datum that is named after the job, or its first one.

    :raises NotFound: when it is not of the job.
    """
    for label, key in datums:
        if len(words) == 1 or is_label(words[1], label) or key.startswith(words[1]):
            return label, key
    raise NotFound(f"{words[1] if len(words) > 1 else 'a datum'} is no failed datum of the job")


def _introduce(context: Context, job: Job, execution: Execution) -> None:
    if context.quiet:
        return
    label, key = job.datums[0]
    click.echo(
        f"{job.pipeline} {visible(shown_label(label))}  key {key[:12]}  commit {job.commit[:12]}\n"
        f"its command: {visible(shlex.join(execution.argv)) or 'that of the image'}",
        err=True,
    )
    if execution.stdin:
        click.echo("it reads, on standard input:", err=True)
        for line in execution.stdin.decode("utf-8", "replace").splitlines():
            click.echo(f"  {visible(line)}", err=True)


@contextmanager
def _connected(execution: Execution) -> Iterator[Execution]:
    """The shell in place of the command, on a terminal where there is one."""
    if not sys.stdin.isatty():
        read = sys.stdin.buffer.read()
        yield replace(execution, argv=("sh",), stdin=read, log=_print, timeout=None)
        return
    env = {"TERM": "xterm", **execution.env, "PS1": "sandbox:\\w\\$ "}
    with relayed_terminal() as terminal:
        yield replace(execution, argv=_SHELL, stdin=None, terminal=terminal, env=env, timeout=None)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _new_folder(context: Context, job: Job) -> Path:
    """An empty folder for the outputs, of this call."""
    shells = make_private_folder(context.site.state_folder / "shells", "state")
    return Path(tempfile.mkdtemp(prefix=f"{job.datums[0][1][:12]}-", dir=shells))


def _keep(out: Path, kept: Path) -> None:
    """Move the outputs, and say where they are; the folders may be on two file systems."""
    children = list(out.iterdir()) if out.is_dir() else []
    for child in children:
        try:
            shutil.move(child, kept / child.name)
        except (OSError, RecursionError) as error:
            click.echo(f"{visible(child.name)} cannot be kept: {visible(str(error))}", err=True)
    if children:
        click.echo(f"the outputs are kept in {kept}", err=True)
