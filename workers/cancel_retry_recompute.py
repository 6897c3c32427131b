"""Carries out what people ask of runs and jobs on pages and over the API, and says what came of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tea_runner.core.errors import NotFound, TeaError
from tea_runner.core.planning.cancel_retry_recompute import RunAction
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import RunStatus, run_status
from tea_runner.flow import cancel_retry_recompute
from tea_runner.flow.trigger_by_hand import trigger
from tea_runner.wiring import Site

log = logging.getLogger(__name__)


class RunActionAnswers:
    """Carries out actions on one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def carry_out(self, action: RunAction) -> None:
        """Do it, and put what came of it where the asker finds it; an error is an answer, too.

        :raises QueueError: when Redis does not answer.
        """
        try:
            document = self._done(action)
        except TeaError as error:
            document = {"error": error.message, "status": error.http_status}
        self._site.questions.put_answer(action, document)

    def _done(self, action: RunAction) -> Mapping[str, Any]:
        what = action.run or action.job or ", ".join(action.names)
        place = {"repository": action.repository}
        log.info("%s of %s, asked for by %s", action.kind, what, action.by, extra=place)
        if action.kind == "trigger":
            return self._started(action)
        found = self._found(action)
        if action.kind == "cancel":
            return self._cancelled(found, action.by)
        if action.kind == "retry":
            return _requested(cancel_retry_recompute.retry(self._site, found, action.by))
        if isinstance(found, JobRecord):
            wanted, keys = cancel_retry_recompute.datums_of_job(found)
        else:
            wanted, keys = cancel_retry_recompute.datums_of_run(found.run, action.names)
        return _requested(
            cancel_retry_recompute.recompute(self._site, found, wanted, keys, action.by)
        )

    def _found(self, action: RunAction) -> RunStatus | JobRecord:
        """The run or the job.

        :raises NotFound: when it has expired, or is of another repository.
        """
        if action.job:
            record = self._site.jobs.facts([action.job]).get(action.job)
            if record is None or record.job is None or record.job.repository != action.repository:
                raise NotFound("this job is not known any more", hint="name its run")
            return record
        run = self._site.runs.get(action.run)
        if run is None or run.repository != action.repository:
            raise NotFound("this run is not known any more", hint="push again")
        ids = [job for pipeline in run.pipelines for job in pipeline.jobs]
        return run_status(run, self._site.jobs.facts(ids), self._site.processes.offers())

    def _started(self, action: RunAction) -> Mapping[str, Any]:
        run = trigger(
            self._site,
            action.repository,
            action.branch,
            "".join(action.names),
            action.tick,
            action.by,
            variables=dict(action.values),
        )
        return {"run": run.id if run is not None else ""}

    def _cancelled(self, found: RunStatus | JobRecord, by: str) -> Mapping[str, Any]:
        if isinstance(found, JobRecord):
            run = self._site.runs.run_of_job(found.id)
            ids, name = [found.id], run.id if run is not None else ""
        else:
            ids = [job for pipeline in found.pipelines for job in pipeline.jobs]
            name = found.run.id
        return cancel_retry_recompute.cancel_jobs(self._site, ids, name, by)


def _requested(done: cancel_retry_recompute.Requested) -> Mapping[str, Any]:
    return {
        "repository": done.repository,
        "branch": done.branch,
        "datums": done.datums,
        "run": done.run.id if done.run is not None else "",
    }
