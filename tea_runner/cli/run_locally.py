"""A dataset's pipelines in, all their jobs done by threads of this process and settled out."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.core.planning.job import Job
from tea_runner.flow.advance_result import AdvanceResult, PipelineProgress
from tea_runner.flow.local_queue import LocalRecomputeRequests
from workers.job_runner import JobRunner
from workers.job_worker import worker_dependencies


def run_locally(
    session: OpenDataset,
    only: tuple[str, ...],
    workers: int,
    wishes: LocalRecomputeRequests | None = None,
    check: Callable[[], None] = lambda: None,
) -> AdvanceResult:
    """Plan, do the jobs, settle, until nothing is left to do.

    :param check: raises when what is planned now may not run.
    """
    branch = session.clone.clone.head()
    advancer = session.advancer(only, wishes)
    quiet = session.context.quiet or session.context.as_json
    published: dict[str, PipelineProgress] = {}
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
                pipelines = {**advance.pipelines, **published}
                return replace(advance, pipelines=pipelines, results=results)
            check()
            _do_all(session, jobs, workers, progress)


def _do_all(session: OpenDataset, jobs: list[Job], workers: int, progress: Progress) -> None:
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
        shop = JobRunner(site.clone(session.context.directory), worker_dependencies(site))
        try:
            while not stop.is_set():
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                lines: list[bytes] = []
                report = shop.run(job, lines.append, stop.is_set)
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


def _keep_log(session: OpenDataset, job: Job, lines: list[bytes], console: Console) -> None:
    folder = Path(session.context.settings.state).expanduser() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{job.id}.log"
    path.write_bytes(b"".join(lines))
    said = f"failed: {job.pipeline} {job.datums[0][0]}; log: {path}"
    console.print(said, markup=False, highlight=False, soft_wrap=True)


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
    )
