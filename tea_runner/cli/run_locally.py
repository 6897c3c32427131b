"""Run all jobs of a dataset in threads of this process, and commit the results."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress

from tea_runner.cli.local_logs import keep_local_log
from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.cli.progress_bar import progress_bars
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import ContentMissing
from tea_runner.core.planning.job import Job
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow.branch_outcome import BranchProgress, PipelineProgress
from tea_runner.flow.local_queue import LocalRecomputeRequests
from tea_runner.flow.tick_inputs import AskedTicks
from tea_runner.host.bounded_text import BoundedText
from tea_runner.present.visible_text import visible
from workers.job_report import JobReport
from workers.job_runner import JobRunner
from workers.worker_dependencies import worker_dependencies


def run_locally(
    session: OpenDataset,
    only: tuple[str, ...],
    workers: int,
    requests: LocalRecomputeRequests | None = None,
    check: Callable[[], None] | None = None,
    *,
    stop_at_failure: bool = False,
    clock: ScheduleClock | None = None,
    asked_ticks: AskedTicks | None = None,
) -> BranchProgress:
    """Plan, run jobs and publish until nothing is left to do.

    :param check: called before jobs run; raises an error when the plan is not allowed.
    :param stop_at_failure: whether no job begins after one failed.
    :param clock: where schedules tick; without it only ticks count that were recorded.
    :param asked_ticks: those that the person asks for.
    """
    branch = session.clone.clone.head()
    advancer = replace(session.advancer(only, requests), asked_ticks=asked_ticks)
    if clock is not None:
        advancer = replace(advancer, clock=clock)
    quiet = session.context.quiet or session.context.as_json
    published: dict[str, PipelineProgress] = {}
    results: list[str] = []
    with progress_bars(quiet=quiet) as progress, _Runners(session) as runners:
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
            some = runners.first(min(workers, len(jobs)))
            _run_jobs(session, jobs, some, progress, stop_at_failure=stop_at_failure)


class _Runners:
    """Job runners that stay open between the rounds: each parses the pipeline files once."""

    def __init__(self, session: OpenDataset) -> None:
        self._session = session
        self._runners: list[JobRunner] = []

    def __enter__(self) -> _Runners:
        return self

    def __exit__(self, *_: object) -> None:
        for runner in self._runners:
            runner.close()

    def first(self, count: int) -> Sequence[JobRunner]:
        """So many of them; each has its own git and git-annex processes, for one thread."""
        site, directory = self._session.context.site, self._session.context.directory
        while len(self._runners) < count:
            self._runners.append(JobRunner(site.clone(directory), worker_dependencies(site)))
        return self._runners[:count]


def _run_jobs(
    session: OpenDataset,
    jobs: list[Job],
    runners: Sequence[JobRunner],
    progress: Progress,
    *,
    stop_at_failure: bool,
) -> None:
    """Run all jobs, one thread for each runner."""
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

    def run_queued(runner: JobRunner) -> None:
        try:
            while not stop.is_set() and not (stop_at_failure and session.queue.failed):
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                output = BoundedText(session.context.settings.log.max_bytes)
                try:
                    report = runner.run(job, output.write, stop.is_set)
                except ContentMissing as error:
                    keys = (key for _, key in job.datums)
                    report = JobReport(missing=dict.fromkeys(keys, str(error)))
                session.queue.failed.update({**report.failures, **report.missing})
                if report.failures or report.missing:
                    failed = {**report.failures, **report.missing}
                    _keep_log(session, job, failed, output.read(), progress.console)
                progress.advance(bars[job.pipeline], len(job.datums))
                runner.evict_unused()
        except BaseException as error:
            broken.append(error)
            stop.set()

    threads = [threading.Thread(target=run_queued, args=(runner,)) for runner in runners]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join()
        raise
    if broken:
        raise broken[0]


def _keep_log(
    session: OpenDataset, job: Job, failed: Collection[str], output: bytes, console: Console
) -> None:
    """Keep the log of a job, and name its first datum that failed.

    :param failed: keys.
    """
    path = keep_local_log(
        session.context.site.state_folder, job, failed, output, session.clone.clone.worktree
    )
    label = next((label for label, key in job.datums if key in failed), job.datums[0][0])
    text = f"failed: {job.pipeline} {visible(shown_label(label))}; log: {path}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
