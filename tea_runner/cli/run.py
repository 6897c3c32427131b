"""``tea-runner run``: run the plan of the checked-out branch on this machine."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence

import click

from tea_runner.cli import complete_names
from tea_runner.cli.active_environment import active_environment_note
from tea_runner.cli.choose_executor import choose_executor
from tea_runner.cli.detached_run_text import attached_lines, detached_document, submitted_lines
from tea_runner.cli.main import Context
from tea_runner.cli.named_datums import ChosenDatums, named_datums
from tea_runner.cli.open_dataset import (
    OpenDataset,
    check_names,
    open_dataset,
    report_remarks,
    report_unsaved,
)
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.options import json_option, unsaved_option
from tea_runner.cli.read_resolved_file import PinnedDatums
from tea_runner.cli.run_locally import run_locally
from tea_runner.cli.submit_and_settle_slurm_run import begin_detached
from tea_runner.core.errors import UsageError
from tea_runner.dataset.reproducibility_ledger import ReproducibilityLedger
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.flow.cancel_retry_recompute import new_request_id
from tea_runner.flow.local_queue import LocalRecomputeRequests
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.pipeline_remarks import pipeline_remarks
from tea_runner.present import summary_line
from tea_runner.present.plan_text import plan_json, plan_lines
from tea_runner.present.visible_text import visible


@click.command("run")
@click.argument(
    "pipelines",
    nargs=-1,
    metavar="[PIPELINE|DATUM]...",
    shell_complete=complete_names.pipelines_or_datums,
)
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; run nothing.")
@click.option(
    "-j",
    "--jobs",
    "workers",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help=f"Number of parallel jobs ({named('worker.count')}).",
)
@click.option(
    "--sandbox",
    type=click.Choice(["bwrap", "off"]),
    default=None,
    help=f"Sandbox of commands; off gives them all your rights ({named('sandbox.kind')}).",
)
@click.option(
    "--executor",
    metavar="local|slurm|dask://HOST:PORT",
    default=None,
    help=f"Where jobs are carried out ({named('run.executor')}).",
)
@click.option(
    "--detach",
    is_flag=True,
    help="With --executor slurm: submit the jobs and end; the last one commits the results.",
)
@click.option(
    "--recompute", is_flag=True, help="Compute known results of these pipelines or datums again."
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Run only the datums of a file written by tea-runner resolve.",
)
@unsaved_option
@click.option(
    "--here",
    is_flag=True,
    help="Commit the results to the checked-out branch, whichever it is "
    f"({named('results.place')}).",
)
@click.option("--up-to", is_flag=True, help="Also run what the named pipelines need of others.")
@click.option(
    "--on-failure",
    type=click.Choice(["continue", "stop", "ignore"]),
    default="continue",
    show_default=True,
    help="After a failure go on, or begin no further job; ignore is continue with exit code 0.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    dry_run: bool,
    workers: int | None,
    sandbox: str | None,
    executor: str | None,
    detach: bool,
    recompute: bool,
    source: str | None,
    unsaved: bool,
    here: bool,
    up_to: bool,
    on_failure: str,
    yes: bool,
) -> int:
    """Run new and changed datums here; commit the results.

    On the default branch, and on those of trusted_branches, the results commit goes to the branch. On
    another one it goes to tea/results/BRANCH, upon the tip of BRANCH, so that branches can be merged; with
    --here it goes to the branch itself.

    A DATUM is named by its label (after its pipeline for one of them) or by the first 8 or more digits of
    its key. It is computed alone and its result is kept; the results of a pipeline are committed when
    those of all its datums are known.

    A PIPELINE is run alone, and waits for results that it reads and that are not there. With --up-to, the
    pipelines that it reads from run, too.

    With --recompute, known results are computed again. Results with different bytes are committed and
    reported.

    With --unsaved, the inputs, code and pipeline files are those of the folder as it is, and the results
    are put into the folder and git's index. Nothing is committed.

    With --detach, no process waits: the last job of Slurm commits the results, and submits what they make
    ready. tea-runner status tells how far it is. The same command again, while it is under way, leaves new
    commits to it.

    With --from, the datums and keys of each pipeline must be those of the file before it runs.
    """
    if source is not None and recompute:
        raise UsageError("--from and --recompute cannot be combined")
    if unsaved and (source is not None or recompute):
        raise UsageError("--unsaved cannot be combined with --from or --recompute")
    if up_to and (source is not None or not pipelines):
        raise UsageError("--up-to needs the names of pipelines", hint="tea-runner run runs all")
    if sandbox:
        context = context.with_flags({"sandbox.kind": sandbox})
    if executor:
        context = context.with_flags({"run.executor": executor})
    if detach:
        if recompute or unsaved or source is not None or on_failure != "continue":
            raise UsageError(
                "--detach cannot be combined with --recompute, --unsaved, --from or --on-failure"
            )
        if context.settings.run.executor != "slurm":
            raise UsageError("--detach needs an executor that has a queue: --executor slurm")
    session = open_dataset(context)
    if here:
        session.clone.results_place = "branch"
    if unsaved:
        session.take_unsaved(keep_content=not dry_run)
    if up_to:
        pipelines = _with_upstream(session, pipelines)
    requests = None
    pinned = PinnedDatums(context.directory / source, pipelines) if source is not None else None
    if pinned is not None:
        pipelines = pinned.pipelines
    if recompute:
        words, pipelines = named_datums(session.plan("HEAD"), pipelines)
        ledger = ReproducibilityLedger(session.clone.repository.git_dir)
        requests = LocalRecomputeRequests(words, new_request_id(), ledger.add_verdict)
    chosen = None
    if pipelines and source is None and not recompute:
        chosen = ChosenDatums.choose(session.plan("HEAD"), pipelines)
    if chosen is not None and detach:
        raise UsageError("--detach takes pipelines, not single datums")
    if chosen is not None:
        pipelines, session.queue.only = chosen.pipelines, frozenset(chosen.before)
    planned = session.plan("HEAD", pipelines, requests.pending() if requests else None)
    problems = planned.plan.problems
    for problem in problems:
        click.echo(f"problem: {visible(problem)}", err=True)
    if problems and not planned.plan.pipelines and not pipelines:
        return 1
    check_names(planned, pipelines)
    paths = session.unsaved()
    report_unsaved(context, paths)
    if pinned is not None:
        _check(pinned, planned)
    if dry_run and context.as_json:
        click.echo(json.dumps({**plan_json(planned.plan), "unsaved": paths}, indent=1))
        return 0
    if dry_run:
        shown = chosen.plan_lines() if chosen else plan_lines(planned.plan, quiet=context.quiet)
        for line in shown:
            click.echo(line)
        report_remarks(planned.tip, planned.works, pipelines, quiet=context.quiet)
        return 0
    if not planned.plan.pipelines and not context.as_json:
        click.echo("This dataset has no pipeline yet; tea-runner init writes one.")
        return 0
    if planned.plan.has_work and not yes and not context.as_json and sys.stdin.isatty():
        for line in chosen.plan_lines() if chosen else plan_lines(planned.plan):
            click.echo(line)
        click.confirm("Run this?", default=True, abort=True)
    report_remarks(planned.tip, planned.works, pipelines, quiet=context.quiet or context.as_json)
    _note_environment(context, planned)
    if detach:
        return _detach(context, session, pipelines, paths)
    workers = workers or context.settings.worker.count
    advance = run_locally(
        session,
        pipelines,
        workers,
        requests,
        (lambda: _check(pinned, session.plan("HEAD", pipelines))) if pinned is not None else None,
        stop_at_failure=on_failure == "stop",
        executor=choose_executor(session, workers),
    )
    code = _report(context, session, advance, paths, chosen, is_draft=unsaved)
    if on_failure == "ignore":
        code = 0
    elif session.queue.failed:
        code = 1
    # Whoever names pipelines does not ask for the others.
    code = code or int(bool(problems) and not pipelines)
    verdicts = requests.verdicts if requests is not None else []
    for verdict in verdicts:
        click.echo(visible(str(verdict)), err=context.as_json)
    return 1 if any(verdict.outcome == "failed" for verdict in verdicts) else code


def _detach(
    context: Context, session: OpenDataset, pipelines: tuple[str, ...], unsaved: Sequence[str]
) -> int:
    """Begin a detached run, and tell what was submitted."""
    begun = begin_detached(session, pipelines)
    if begun.run.code is not None:
        assert begun.advance is not None
        report_progress(context, begun.advance, unsaved)
        return begun.run.code
    attached = begun.advance is None
    if context.as_json:
        document = detached_document(begun.run, state="attached" if attached else "submitted")
        click.echo(json.dumps({"detached": document}, indent=1))
    else:
        click.echo("\n".join((attached_lines if attached else submitted_lines)(begun.run)))
    return 0


def _with_upstream(session: OpenDataset, names: Sequence[str]) -> tuple[str, ...]:
    """The pipelines of these names, and all from which they read.

    :raises UsageError: when a name is that of no pipeline.
    """
    pipelines = session.plan("HEAD").tip.pipelines
    todo, found = list(names), dict[str, None]()
    while todo:
        name = todo.pop()
        pipeline = pipelines.find(name)
        if pipeline is None:
            raise UsageError(f"--up-to needs the names of pipelines, and {name} is none")
        if name not in found:
            found[name] = None
            todo += [each.name for each in pipelines.upstream(pipeline)]
    return tuple(each.name for each in pipelines if each.name in found)


def _report(
    context: Context,
    session: OpenDataset,
    advance: BranchProgress,
    paths: Sequence[str],
    chosen: ChosenDatums | None,
    *,
    is_draft: bool,
) -> int:
    if chosen is not None:
        return chosen.report(context, advance, session.queue.failed, paths)
    return report_progress(context, advance, paths, is_draft=is_draft)


def _note_environment(context: Context, planned: PlannedCommit) -> None:
    """Say that commands on this machine do not see the terminal's Python environment."""
    works = planned.works.values()
    host = any(not inputs.pipeline.transform.image for inputs in works)
    if context.quiet or not (planned.plan.has_work and host):
        return
    choice = context.site.environment_choice
    note = active_environment_note(context.variables, choice.path, choice.binds)
    if note:
        click.echo(f"note: {visible(note)}", err=True)


def _check(pinned: PinnedDatums, planned: PlannedCommit) -> None:
    """Check the plan against the file.

    A pipeline that waits for results of another is checked when it is planned.
    """
    for plan in planned.plan.pipelines:
        inputs = planned.works.get(plan.pipeline.name)
        if inputs is not None:
            pinned.check(inputs)


def report_progress(
    context: Context, advance: BranchProgress, unsaved: Sequence[str], *, is_draft: bool = False
) -> int:
    """Print what was done; returns the exit code."""
    failed = any(p.state in ("failed", "blocked") for p in advance.pipelines.values())
    if context.as_json:
        rows = [
            {
                "pipeline": p.pipeline,
                "state": p.state,
                "counts": dict(p.counts),
                "detail": p.detail,
                "commit": p.commit,
            }
            for p in advance.pipelines.values()
        ]
        names = tuple(advance.pipelines)
        remarks = (
            pipeline_remarks(advance.planned.tip, advance.planned.works, names).lines
            if names
            else ()
        )
        document = {
            "commit": advance.commit,
            "pipelines": rows,
            "remarks": remarks,
            "unsaved": unsaved,
            "results_branch": advance.results_branch,
        }
        click.echo(json.dumps(document, indent=1))
        return 1 if failed else 0
    actions: Counter[str] = Counter()
    for progress in advance.pipelines.values():
        if context.quiet and progress.state == "settled":
            continue
        word = {"settled": "ok", "failed": "error", "blocked": "impossible"}.get(progress.state, "")
        actions[word or progress.state] += 1
        text = summary_line.description(progress.state, progress.counts, progress.detail)
        if progress.detail and word in ("error", "impossible") and text.endswith("…"):
            # The next step is at the end; only the line on a forge must be short.
            text = " ".join(progress.detail.split())
        line = f"run({word or progress.state}): {progress.pipeline} [{text}]"
        if progress.commit and progress.commit in advance.results and not is_draft:
            line += f" {progress.commit[:12]}"
        click.echo(line)
    if actions.total() > 1 and not context.quiet:
        words = ", ".join(f"{word}: {number}" for word, number in sorted(actions.items()))
        click.echo(f"action summary:\n  run ({words})", err=True)
    if not advance.results and not failed and not context.quiet:
        click.echo("Nothing to do.")
    elif advance.results and advance.results_branch and not context.quiet:
        name = visible(advance.results_branch)
        click.echo(
            f"The results are in the branch {name} (git diff HEAD {name}); run --here commits them to "
            "this branch",
            err=True,
        )
    elif advance.results and is_draft and not context.quiet:
        click.echo(
            "Nothing was committed: the results are in the folder and in git's index; "
            "datalad save keeps them",
            err=True,
        )
    return 1 if failed else 0
