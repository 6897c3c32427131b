"""Rounds of a detached run: plan and submit to Slurm, and settle once the tasks have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tea_runner.cli.choose_executor import jobs_folder, slurm_tasks
from tea_runner.cli.detached_run_check import (
    already_under_way,
    detached_run_file,
    is_under_way,
)
from tea_runner.cli.open_dataset import OpenDataset
from tea_runner.cli.run_locally import keep_log_of_job
from tea_runner.core.errors import OutsideError, UserError
from tea_runner.core.planning.job import Job
from tea_runner.executors.detached_slurm_run import DetachedRun, DetachedRunFile
from tea_runner.executors.job_folder import JobFolder, make_job_folder
from tea_runner.executors.slurm_client import SlurmClient
from tea_runner.executors.slurm_executor import TRIES, failure_of_state
from tea_runner.flow.advance_outcome import BranchProgress, PipelineProgress


@dataclass(frozen=True, kw_only=True)
class DetachedProgress:
    """The run after a round; *advance* is what the round's plan found, None where others are at it."""

    run: DetachedRun
    advance: BranchProgress | None = None


def begin_detached(session: OpenDataset, pipelines: tuple[str, ...]) -> DetachedProgress:
    """Plan, submit the jobs to Slurm and return; or leave the commit to the run that is under way.

    :raises UserError: when one is under way for another branch or other pipelines.
    """
    file, tasks = detached_run_file(session), slurm_tasks(session)
    branch = session.clone.clone.head()
    here = session.clone.results_place == "branch"
    with file.lock():
        run = file.read()
        if run is not None and run.code is None:
            if is_under_way(run, tasks.client):
                if (run.branch, run.pipelines, run.here) != (branch, pipelines, here):
                    raise already_under_way(run)
                return DetachedProgress(run=run)
            tasks.client.cancel(list(run.arrays))
            JobFolder(Path(run.folder)).remove()
        file.log.unlink(missing_ok=True)
        return _round(session, file, DetachedRun(branch=branch, pipelines=pipelines, here=here))


def settle_detached(session: OpenDataset) -> DetachedProgress | None:
    """Read the outcomes of a round, commit the results, and submit what follows from them.

    :returns: None when no round waits for this job of Slurm.
    :raises OutsideError: when storage, machine or Slurm failed.
    """
    file = detached_run_file(session)
    with file.lock():
        run = file.read()
        if run is None or run.code is not None:
            return None
        if session.context.variables.get("SLURM_JOB_ID") != run.settle:
            # Slurm put a job back that had settled its round before its node went away.
            return None
        folder = JobFolder(Path(run.folder))
        try:
            if session.clone.clone.head() != run.branch:
                raise UserError(
                    f"the branch {run.branch} is not checked out any more",
                    hint=f"check it out: tea-runner run goes on with what was computed ({run.branch})",
                )
            if run.here:
                session.clone.results_place = "branch"
            done = _round(session, file, _collected(session, run, folder))
        except (OutsideError, UserError) as error:
            file.write(replace(run, code=1, error=error.message))
            raise
        folder.remove()
        return done


def _round(session: OpenDataset, file: DetachedRunFile, run: DetachedRun) -> DetachedProgress:
    """Plan and publish; submit the jobs that the plan needs, or note that the run has ended."""
    session.queue.failed.update(run.failed)
    advance = session.advancer(run.pipelines).advance(run.branch)
    assert advance is not None
    jobs = dict(enumerate(session.queue.take()))
    rows = {row["pipeline"]: row for row in run.published}
    rows.update({name: _row(p) for name, p in advance.pipelines.items() if p.commit})
    results = (*run.results, *advance.results)
    run = replace(run, published=tuple(rows.values()), results=results, folder="", arrays={})
    if jobs:
        run = _submitted(session, file, run, jobs)
    else:
        # The counts of a pipeline are those of the round that published it.
        pipelines = {**advance.pipelines, **{name: _progress(row) for name, row in rows.items()}}
        advance = replace(advance, pipelines=pipelines, results=list(results))
        failed = any(p.state in ("failed", "blocked") for p in pipelines.values())
        run = replace(run, settle="", jobs=0, code=int(failed or bool(run.failed)))
    file.write(run)
    return DetachedProgress(run=run, advance=advance)


def _submitted(
    session: OpenDataset, file: DetachedRunFile, run: DetachedRun, jobs: Mapping[int, Job]
) -> DetachedRun:
    tasks = slurm_tasks(session)
    folder = make_job_folder(jobs_folder(session), jobs)
    try:
        arrays = tasks.submit(folder, jobs)
        options = session.context.settings.slurm.settle_options
        settle = tasks.submit_settle(list(arrays), file.log, options)
    except OutsideError:
        folder.remove()
        raise
    return replace(run, folder=str(folder.path), jobs=len(jobs), arrays=arrays, settle=settle)


def _collected(session: OpenDataset, run: DetachedRun, folder: JobFolder) -> DetachedRun:
    """The run with what became of the tasks of its round."""
    failed, lost = dict(run.failed), Counter(run.lost)
    console = Console(stderr=True, soft_wrap=True)
    ended = set(folder.ended())
    states: Mapping[tuple[str, int], str] = {}
    if len(ended) < run.jobs:
        states = SlurmClient(session.context.variables).states(list(run.arrays))
    for array, numbers in run.arrays.items():
        for task, number in numbers.items():
            job = folder.job(number)
            keys = [key for _, key in job.datums]
            state = states.get((array, task), "")
            if number in ended:
                outcome = folder.outcome(number)
                log, failures, error = outcome.log, dict(outcome.failures), str(outcome.error or "")
            else:
                said = folder.task_output(number)
                log, why = said.encode(), failure_of_state(state)
                failures = dict.fromkeys(keys, why) if why else {}
                error = "" if why else _lost(f"{array}_{task}", state, said)
            if error:
                # Their datums are planned again, until they were submitted often enough.
                lost.update(keys)
                failures = {key: error for key in keys if lost[key] >= TRIES}
            if failures:
                keep_log_of_job(session, job, failures, log or error.encode(), console)
            failed.update(failures)
    return replace(run, failed=failed, lost=dict(lost))


def _lost(task: str, state: str, said: str) -> str:
    return f"task {task} of Slurm ended without an outcome ({state or 'no longer listed'})" + (
        f": {said}" if said else ""
    )


def _row(progress: PipelineProgress) -> Mapping[str, Any]:
    return {
        "pipeline": progress.pipeline,
        "state": progress.state,
        "counts": dict(progress.counts),
        "detail": progress.detail,
        "commit": progress.commit,
    }


def _progress(row: Mapping[str, Any]) -> PipelineProgress:
    return PipelineProgress(**{**row, "counts": Counter(row["counts"])})
