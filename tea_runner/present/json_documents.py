"""JSON documents of runs and jobs, the same for pages and terminal."""

from __future__ import annotations

from typing import Any

from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run_status import DatumStatus, PipelineStatus, RunStatus
from tea_runner.present.human_units import instant


def run_head(status: RunStatus) -> dict[str, Any]:
    """A run without its pipelines, for lists."""
    run = status.run
    return {
        "id": run.id,
        "repository": run.repository,
        "branch": run.branch,
        "commit": run.commit,
        "results_branch": run.results_branch,
        "title": run.title,
        "author": run.author,
        "cause": run.cause,
        "requested_by": run.requested_by,
        "cancelled_by": run.cancelled_by,
        "approved_by": run.approved_by,
        "attempt": run.attempt,
        "previous": run.previous,
        "state": status.state,
        "superseded": run.superseded,
        "superseded_by": run.superseded_by,
        "ended": status.ended,
        "counts": dict(status.numbers),
        "started_at": instant(run.started),
        "ended_at": instant(run.ended),
        "seconds": None if status.seconds is None else round(status.seconds, 3),
    }


def run_document(status: RunStatus) -> dict[str, Any]:
    """A run with its pipelines and datums."""
    return {
        **run_head(status),
        "problems": list(status.run.problems),
        "retries": [
            {
                "job": retry.job,
                "reason": retry.reason,
                "tries": retry.tries,
                "next_try_at": instant(retry.next_try),
            }
            for retry in status.retries
        ],
        "lacking": [{"reason": lack.reason, "jobs": lack.jobs} for lack in status.lacking],
        "pipelines": [_pipeline(pipeline) for pipeline in status.pipelines],
    }


def _pipeline(pipeline: PipelineStatus) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "state": pipeline.state,
        "counts": dict(pipeline.numbers),
        "reason": pipeline.reason,
        "detail": pipeline.detail,
        "results_commit": pipeline.commit,
        "signer": pipeline.signer,
        "remark": pipeline.remark,
        "schedules": list(pipeline.schedules),
        "triggers": list(pipeline.triggers),
        "variables": dict(pipeline.variables),
        "upstream": list(pipeline.upstream),
        "jobs": list(pipeline.jobs),
        "datums": [datum_document(datum) for datum in pipeline.datums],
        "unlisted_datums": pipeline.unlisted,
    }


def order_document(order: Order) -> dict[str, Any]:
    """A pause, its end, or an approval."""
    return {
        "order": order.kind,
        "place": order.place,
        "repository": order.repository,
        "pipeline": order.pipeline,
        "branch": order.branch,
        "commit": order.commit,
        "by": order.by,
        "at": instant(order.at),
    }


def datum_document(datum: DatumStatus) -> dict[str, Any]:
    """One datum."""
    return {
        "datum": datum.label,
        "key": datum.key,
        "state": datum.state,
        "reason": datum.reason,
        "source": datum.source,
        "why": datum.why,
        "job": datum.job,
        "error": datum.error,
    }


def job_document(facts: JobRecord, run: RunStatus | None) -> dict[str, Any]:
    """A job with its datums."""
    job = facts.job
    reasons = {
        datum.key: (datum.reason, datum.why)
        for pipeline in (run.pipelines if run else ())
        for datum in pipeline.datums
    }
    return {
        "id": facts.id,
        "state": facts.state,
        "stopping": facts.stopping,
        "cancelled_by": facts.cancelled_by,
        "repository": job.repository if job else "",
        "branch": job.branch if job else "",
        "commit": job.commit if job else "",
        "pipeline": job.pipeline if job else "",
        "run": run.run.id if run else "",
        "attempt": facts.attempt,
        "worker": facts.worker,
        "error": facts.error,
        "created_at": instant(facts.created),
        "started_at": instant(facts.started),
        "ended_at": instant(facts.ended),
        "seconds": facts.seconds,
        "fetched_bytes": facts.fetched,
        "failed_tries": facts.troubles,
        "next_try_at": instant(facts.next_try) if facts.state == "waiting" else None,
        "datums": [
            {
                "datum": label,
                "key": key,
                "state": facts.state_of(key),
                "error": facts.error_of(key) if facts.state_of(key) == "failed" else "",
                "reason": reasons.get(key, ("", ""))[0],
                "why": reasons.get(key, ("", ""))[1],
            }
            for label, key in facts.datums
        ],
    }
