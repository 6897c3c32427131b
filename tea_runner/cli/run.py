"""``tea-runner run``: carry out the plan here, as workers would, without any server."""

from __future__ import annotations

import json
import sys

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_names, open_dataset
from tea_runner.cli.recompute import new_wish
from tea_runner.cli.resolved_file import Pinned
from tea_runner.cli.run_locally import run_locally
from tea_runner.core.errors import NotFound, UsageError
from tea_runner.dataset.reproducibility_ledger import ReproducibilityLedger
from tea_runner.flow.advance_result import AdvanceResult
from tea_runner.flow.local_queue import LocalRecomputeRequests
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.present import status_text
from tea_runner.present.plan_text import plan_lines
from tea_runner.present.visible_text import visible


@click.command("run")
@click.argument("pipelines", nargs=-1)
@click.option("-n", "--dry-run", is_flag=True, help="Only show the plan.")
@click.option(
    "-j",
    "--jobs",
    "workers",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Jobs at once (worker.count).",
)
@click.option(
    "--sandbox",
    type=click.Choice(["bwrap", "off"]),
    default=None,
    help="Where commands run; off gives them all your rights (sandbox.kind).",
)
@click.option(
    "--recompute", is_flag=True, help="Compute these pipelines or datums although they are known."
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Run what a file of tea-runner resolve states, and nothing else.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    dry_run: bool,
    workers: int | None,
    sandbox: str | None,
    recompute: bool,
    source: str | None,
    yes: bool,
) -> int:
    """Run what is new or changed and commit the results to the branch that is checked out.

    With --recompute also what is known, and a datum may be named in a pipeline's place, by its label
    or the beginning of its key. Other bytes than before are committed and reported.

    With --from the datums and keys have to be those of the file, pipeline by pipeline, before anything of
    it runs: the dataset has the content, the file says what is to be computed of it.
    """
    if source is not None and recompute:
        raise UsageError("--from and --recompute: only one of them; a file states known keys too")
    if sandbox:
        context = context.with_flags({"sandbox.kind": sandbox})
    session = open_dataset(context)
    wishes = None
    pinned = Pinned(context.directory / source, pipelines) if source is not None else None
    if pinned is not None:
        pipelines = pinned.pipelines
    if recompute:
        words, pipelines = wished(session.plan("HEAD"), pipelines)
        ledger = ReproducibilityLedger(session.clone.mirror.git_dir)
        wishes = LocalRecomputeRequests(words, new_wish(), ledger.add_verdict)
    planned = session.plan("HEAD", pipelines, wishes.pending() if wishes else None)
    check_names(planned, pipelines)
    if planned.plan.problems:
        for problem in planned.plan.problems:
            click.echo(f"problem: {problem}", err=True)
        return 1
    _check(pinned, planned)
    if dry_run:
        for line in plan_lines(planned.plan):
            click.echo(line)
        return 0
    if not planned.plan.pipelines:
        click.echo("This dataset has no pipeline yet; tea-runner init writes one.")
        return 0
    if planned.plan.has_work and not yes and not context.as_json and sys.stdin.isatty():
        for line in plan_lines(planned.plan):
            click.echo(line)
        click.confirm("Run this?", default=True, abort=True)
    advance = run_locally(
        session,
        pipelines,
        workers or context.settings.worker.count,
        wishes,
        lambda: _check(pinned, session.plan("HEAD", pipelines)),
    )
    code = _tell(context, advance)
    verdicts = wishes.verdicts if wishes is not None else []
    for verdict in verdicts:
        click.echo(visible(str(verdict)), err=context.as_json)
    return 1 if any(verdict.outcome == "failed" for verdict in verdicts) else code


def _check(pinned: Pinned | None, planned: PlannedCommit) -> None:
    """See that what is about to run is what the file states.

    A pipeline that waits for another's results has its turn once those are there.
    """
    if pinned is None:
        return
    for plan in planned.plan.pipelines:
        work = planned.works.get(plan.pipeline.name)
        if work is not None:
            pinned.check(work)


def wished(planned: PlannedCommit, names: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """Keys and pipelines' names that the words stand for, and the pipelines that they concern.

    :raises NotFound: when a word is neither.
    """
    every = tuple(planned.works)
    words: list[str] = []
    concerned: list[str] = []
    for name in names or every:
        if name in planned.works:
            words.append(name)
            concerned.append(name)
            continue
        found = {
            item.key: pipeline
            for pipeline, work in planned.works.items()
            for item in work.keyed
            if name in (item.label, f"{pipeline} {item.label}")
            or (len(name) >= 8 and item.key.startswith(name))
        }
        if not found:
            raise NotFound(
                f"there is no pipeline or datum {name}; tea-runner datums lists the datums"
            )
        words += found
        concerned += found.values()
    return words, tuple(dict.fromkeys(concerned))


def _tell(context: Context, advance: AdvanceResult) -> int:
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
        click.echo(json.dumps({"commit": advance.commit, "pipelines": rows}, indent=1))
        return 1 if failed else 0
    for progress in advance.pipelines.values():
        word = {"settled": "ok", "failed": "error", "blocked": "impossible"}.get(progress.state, "")
        text = status_text.status(progress.state, progress.counts, progress.detail)
        if progress.detail and word in ("error", "impossible") and text.endswith("…"):
            # What there is to do next stands at the end; only a forge's line has to be short.
            text = " ".join(progress.detail.split())
        line = f"run({word or progress.state}): {progress.pipeline} [{text}]"
        if progress.commit and progress.commit in advance.results:
            line += f" {progress.commit[:12]}"
        click.echo(line)
    if not advance.results and not failed:
        click.echo("Nothing to do.")
    return 1 if failed else 0
