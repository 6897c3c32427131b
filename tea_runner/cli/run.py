"""``tea-runner run``: carry out the plan here, as workers would, without any server."""

from __future__ import annotations

import json
import queue
import sys
import threading
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tea_runner.adapters.ledger import Ledger
from tea_runner.cli.main import Context
from tea_runner.cli.recompute import new_wish
from tea_runner.cli.session import Session, check_names, open_session
from tea_runner.core.errors import NotFound
from tea_runner.core.jobs import Job
from tea_runner.flow.advance import Advance
from tea_runner.flow.advance import Progress as Reached
from tea_runner.flow.local import LocalWishes
from tea_runner.flow.planning import Planned
from tea_runner.present import sentences
from tea_runner.present.text import plan_lines
from tea_runner.present.visible import visible
from workers.tasks import means
from workers.work import Workshop


@click.command("run")
@click.argument("pipelines", nargs=-1)
@click.option("-n", "--dry-run", is_flag=True, help="Only show the plan.")
@click.option("-j", "--jobs", "workers", type=click.IntRange(1), default=None, metavar="N",
              help="Jobs at once (worker.count).")  # fmt: skip
@click.option("--sandbox", type=click.Choice(["bwrap", "off"]), default=None,
              help="Where commands run; off gives them all your rights (sandbox.kind).")  # fmt: skip
@click.option("--recompute", is_flag=True,
              help="Compute these pipelines or datums although they are known.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(
    context: Context,
    pipelines: tuple[str, ...],
    dry_run: bool,
    workers: int | None,
    sandbox: str | None,
    recompute: bool,
    yes: bool,
) -> int:
    """Run what is new or changed and commit the results to the branch that is checked out.

    With --recompute also what is known, and a datum may be named in a pipeline's place, by its label
    or the beginning of its key. Other bytes than before are committed and reported.
    """
    if sandbox:
        context.flags["sandbox.kind"] = sandbox
    session = open_session(context)
    wishes = None
    if recompute:
        words, pipelines = wished(session.plan("HEAD"), pipelines)
        ledger = Ledger(session.clone.mirror.git_dir)
        wishes = LocalWishes(words, new_wish(), ledger.add)
    planned = session.plan("HEAD", pipelines, wishes.forced() if wishes else None)
    check_names(planned, pipelines)
    if planned.plan.problems:
        for problem in planned.plan.problems:
            click.echo(f"problem: {problem}", err=True)
        return 1
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
    advance = carry_out(session, pipelines, workers or context.settings.worker.count, wishes)
    code = _tell(context, advance)
    verdicts = wishes.verdicts if wishes is not None else []
    for verdict in verdicts:
        click.echo(visible(str(verdict)), err=context.as_json)
    return 1 if any(verdict.outcome == "failed" for verdict in verdicts) else code


def wished(planned: Planned, names: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
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


def carry_out(
    session: Session, only: tuple[str, ...], workers: int, wishes: LocalWishes | None = None
) -> Advance:
    """Plan, do the jobs, settle, until nothing is left to do."""
    branch = session.clone.clone.head()
    advancer = session.advancer(only, wishes)
    quiet = session.context.quiet or session.context.as_json
    published: dict[str, Reached] = {}
    results: list[str] = []
    with _progress(quiet) as progress:
        while True:
            advance = advancer.advance(branch)
            assert advance is not None
            published.update((n, p) for n, p in advance.pipelines.items() if p.commit)
            results += advance.results
            jobs = session.queue.take()
            if not jobs:
                # What was published in an earlier round says what was done.
                advance.pipelines.update(published)
                advance.results = results
                return advance
            _do_all(session, jobs, workers, progress)


def _do_all(session: Session, jobs: list[Job], workers: int, progress: Progress) -> None:
    """All jobs, on so many threads; each thread has its own pipes to git and git-annex."""
    names = dict.fromkeys(job.pipeline for job in jobs)
    bars = {
        name: progress.add_task(name, total=sum(len(j.datums) for j in jobs if j.pipeline == name))
        for name in names
    }
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    stop = threading.Event()
    broken: list[BaseException] = []

    def work() -> None:
        site = session.context.site
        shop = Workshop(site.clone(session.context.directory), means(site))
        try:
            while not stop.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                lines: list[bytes] = []
                report = shop.do(job, lines.append, stop.is_set)
                session.queue.failed.update(report.failures)
                if report.failures:
                    _keep_log(session, job, lines, progress.console)
                progress.advance(bars[job.pipeline], len(job.datums))
        except BaseException as error:
            broken.append(error)
            stop.set()
        finally:
            shop.close()

    threads = [threading.Thread(target=work) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join()
        raise
    if broken:
        raise broken[0]


def _keep_log(session: Session, job: Job, lines: list[bytes], console: Console) -> None:
    folder = Path(session.context.settings.state).expanduser() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.id}.log"
    path.write_bytes(b"".join(lines))
    console.print(f"failed: {job.pipeline} {job.datums[0][0]}; log: {path}", markup=False)


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
    )


def _tell(context: Context, advance: Advance) -> int:
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
        text = sentences.status(progress.state, progress.counts, progress.detail)
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
