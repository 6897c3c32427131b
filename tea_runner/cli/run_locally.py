"""Plan a clone, have an executor carry out its jobs, and commit the results, until nothing is left to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress

from tea_runner.cli.detached_run_check import refuse_beside_detached
from tea_runner.cli.local_logs import keep_local_log
from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.cli.progress_bar import progress_bars
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_outcome import JobOutcome
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow.advance_outcome import BranchProgress, PipelineProgress
from tea_runner.flow.local_queue import LocalRecomputeRequests
from tea_runner.flow.tick_inputs import AskedTicks
from tea_runner.ports.executor import Executor
from tea_runner.present.visible_text import visible
from workers.job_runner import JobRunner
from workers.local_thread_executor import JobThreads
from workers.worker_dependencies import worker_dependencies


def run_locally(
    session: OpenDataset,
    only: tuple[str, ...],
    workers: int,
    requests: LocalRecomputeRequests | None = None,
    check: Callable[[], None] | None = None,
    *,
    stop_at_failure: bool = False,
    executor: Executor | None = None,
    clock: ScheduleClock | None = None,
    asked_ticks: AskedTicks | None = None,
) -> BranchProgress:
    """Plan, run jobs and publish until nothing is left to do.

    :param workers: most jobs at once in this process.
    :param executor: carries out the jobs in place of threads of this process.
    :param check: called before jobs run; raises an error when the plan is not allowed.
    :param stop_at_failure: whether no job begins after one failed.
    :param clock: where schedules tick; without it only ticks count that were recorded.
    :param asked_ticks: those that the person asks for.
    """
    branch = session.clone.clone.head()
    refuse_beside_detached(session)
    advancer = replace(session.advancer(only, requests), asked_ticks=asked_ticks)
    if clock is not None:
        advancer = replace(advancer, clock=clock)
    quiet = session.context.quiet or session.context.as_json
    published: dict[str, PipelineProgress] = {}
    results: list[str] = []
    if executor is None:
        executor = job_threads(session, workers)
    with progress_bars(quiet=quiet) as progress, contextlib.closing(executor):
        while True:
            advance = advancer.advance(branch)
            assert advance is not None
            published.update((n, p) for n, p in advance.pipelines.items() if p.commit)
            results += advance.results
            jobs = session.queue.take()
            if not jobs or (stop_at_failure and session.queue.failed):
                # The counts of a pipeline are those of the round that published it.
                pipelines = {**advance.pipelines, **published}
                return replace(advance, pipelines=pipelines, results=results)
            if check is not None:
                check()
            _run_jobs(session, jobs, executor, progress, stop_at_failure=stop_at_failure)


def job_threads(session: OpenDataset, count: int) -> JobThreads:
    """Threads of this process, which carry out so many jobs of a clone at once."""
    log_bytes = session.context.settings.log.max_bytes
    ledger = session.context.site.ledger
    return JobThreads(lambda: new_job_runner(session), count, log_bytes, ledger)


def new_job_runner(session: OpenDataset) -> JobRunner:
    """What carries out jobs of a clone, with git processes of its own, for one thread."""
    site = session.context.site
    return JobRunner(site.clone(session.context.directory), worker_dependencies(site))


def _run_jobs(
    session: OpenDataset,
    jobs: Sequence[Job],
    executor: Executor,
    progress: Progress,
    *,
    stop_at_failure: bool,
) -> None:
    """Carry out all jobs of one round, with a bar for each pipeline."""
    names = dict.fromkeys(job.pipeline for job in jobs)
    bars = {
        name: progress.add_task(name, total=sum(len(j.datums) for j in jobs if j.pipeline == name))
        for name in names
    }

    def ended(job: Job, outcome: JobOutcome) -> bool:
        session.queue.failed.update(outcome.failures)
        if outcome.failures:
            keep_log_of_job(session, job, outcome.failures, outcome.log, progress.console)
        progress.advance(bars[job.pipeline], len(job.datums))
        return not (stop_at_failure and session.queue.failed)

    executor.run(jobs, ended)


def keep_log_of_job(
    session: OpenDataset, job: Job, failed: Collection[str], output: bytes, console: Console
) -> None:
    """Keep the log of a job in the state folder, and name its first datum that failed.

    :param failed: keys.
    """
    path = keep_local_log(
        session.context.site.state_folder, job, failed, output, session.clone.clone.worktree
    )
    label = next((label for label, key in job.datums if key in failed), job.datums[0][0])
    text = f"failed: {job.pipeline} {visible(shown_label(label))}; log: {path}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
