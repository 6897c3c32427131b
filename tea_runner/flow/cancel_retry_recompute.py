"""What people ask of runs and jobs on a server: cancel, retry, recompute; the same for terminal and pages."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tea_runner.core.datums.datum import is_label
from tea_runner.core.datums.join_pipeline_and_datum_words import join_datum_words
from tea_runner.core.errors import NotFound
from tea_runner.core.git.branch_results_scope import queue_namespace, scope_of
from tea_runner.core.planning.job_record import JobRecord
from tea_runner.core.planning.run import RECOMPUTE, RETRY, Run
from tea_runner.core.planning.run_status import RunStatus


class ActionJobs(Protocol):
    """Jobs in the queue."""

    def facts(self, ids: Sequence[str]) -> dict[str, JobRecord]:
        """What is known of these jobs, by id."""
        ...

    def cancel(self, job_id: str, *, by: str = "") -> str:
        """Cancel a job; returns ``cancelled``, ``stopping`` or ``ended``."""
        ...

    def set_fields(self, job_id: str, **fields: str) -> None:
        """Change facts of a job."""
        ...

    def forget_failures(self, namespace: str, keys: Sequence[str]) -> int:
        """Forget that these datums failed; returns how many had."""
        ...


class ActionRuns(Protocol):
    """Runs that are remembered."""

    def note_cancelled(self, run_id: str, by: str) -> None:
        """Note who cancelled a run."""
        ...

    def request(self, repository: str, branch: str, cause: str, *, by: str = "") -> Run | None:
        """Begin a new run of a branch's latest commit."""
        ...


class ActionServer(Protocol):
    """The parts of a server that actions need; :class:`tea_runner.wiring.Site` has them."""

    @property
    def jobs(self) -> ActionJobs:
        """Jobs."""
        ...

    @property
    def runs(self) -> ActionRuns:
        """Runs."""
        ...

    @property
    def queues(self) -> Any:
        """The queues of RQ."""
        ...

    @property
    def plan_requests(self) -> Any:
        """Requests to plan."""
        ...

    def trusted_branches(self, repository: str, branch: str) -> Any:
        """Branches that are trusted."""
        ...

    def publication_counts(self, repository: str, branch: str) -> Any:
        """How often pipelines were published."""
        ...

    def recompute_requests(self, repository: str, branch: str) -> Any:
        """Requests to recompute."""
        ...


@dataclass(frozen=True, kw_only=True)
class Requested:
    """What an action has begun."""

    repository: str
    branch: str
    #: How many datums run again.
    datums: int = 0
    #: The new run; None where nothing runs again.
    run: Run | None = None


def new_request_id() -> str:
    """Id of a recompute request; ids sort by time."""
    return f"{time.time():017.3f}-{uuid.uuid4().hex[:8]}"


def cancel_jobs(
    server: ActionServer, ids: Sequence[str], run_id: str, by: str
) -> dict[str, list[str]]:
    """Cancel those of these jobs that wait or run.

    :param run_id: the run that they are of; empty for none.
    :returns: ids of those that are ``cancelled``, ``stopping`` or had ``ended``.
    """
    done: dict[str, list[str]] = {"cancelled": [], "stopping": [], "ended": []}
    known = server.jobs.facts(ids)
    live = {job for job, facts in known.items() if facts.state in ("waiting", "running")}
    if live and run_id:
        server.runs.note_cancelled(run_id, by)
    for job in ids:
        done[server.jobs.cancel(job, by=by) if job in live else "ended"].append(job)
    return done


def retry(server: ActionServer, found: RunStatus | JobRecord, by: str) -> Requested:
    """Run datums again that failed, were cancelled, lack content, or wait for their next try.

    :raises NotFound: when the datums of a job have expired.
    """
    repository, branch = _place(found, "push again")
    hurried = _hurry(server, found)
    scope = scope_of(branch, server.trusted_branches(repository, branch))
    keys = _retried_keys(server, found)
    forgotten = server.jobs.forget_failures(queue_namespace(repository, scope), keys)
    server.publication_counts(repository, branch).reset()
    run = server.runs.request(repository, branch, RETRY, by=by) if forgotten else None
    server.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=RETRY)
    return Requested(repository=repository, branch=branch, datums=forgotten + hurried, run=run)


def recompute(
    server: ActionServer,
    found: RunStatus | JobRecord,
    wanted: Mapping[str, str],
    keys: Iterable[str],
    by: str,
) -> Requested:
    """Compute known results again; what differs is replaced.

    :param wanted: keys or names of pipelines with a label.
    :param keys: all keys of these.
    :raises NotFound: when the datums of a job have expired.
    """
    repository, branch = _place(found, "name its run")
    scope = scope_of(branch, server.trusted_branches(repository, branch))
    server.jobs.forget_failures(queue_namespace(repository, scope), sorted(keys))
    server.recompute_requests(repository, branch).add(wanted, new_request_id())
    run = server.runs.request(repository, branch, RECOMPUTE, by=by)
    server.plan_requests.request_plan(repository, f"refs/heads/{branch}", why=RECOMPUTE)
    return Requested(repository=repository, branch=branch, datums=len(wanted), run=run)


def datums_of_run(run: Run, words: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """Keys or names of pipelines with their label, and all keys of these.

    :param words: names of pipelines, labels or keys of datums (8 digits or more); none for everything.
    :raises NotFound: when a word is neither a pipeline nor a datum.
    """
    rows = {p.name: [(row[0], row[1]) for row in p.datums] for p in run.pipelines}
    wanted: dict[str, str] = {}
    keys: set[str] = set()
    labels = {name: [label for label, _ in datums] for name, datums in rows.items()}
    for word in join_datum_words(words, labels) or tuple(rows):
        if word in rows:
            wanted[word] = f"pipeline {word}"
            keys |= {key for _, key in rows[word]}
            continue
        matching = {
            key: label
            for name, datums in rows.items()
            for label, key in datums
            if is_label(word, label, name) or (len(word) >= 8 and key.startswith(word))
        }
        if not matching:
            raise NotFound(
                f"run {run.id} has no pipeline or datum {word}",
                hint=f"tea-runner show {run.id} lists them",
            )
        wanted.update(matching)
        keys |= matching.keys()
    return wanted, keys


def datums_of_job(record: JobRecord) -> tuple[dict[str, str], set[str]]:
    """As :func:`datums_of_run`, of a job."""
    wanted = {key: key for _, key in record.datums}
    return wanted, set(wanted)


def _place(found: RunStatus | JobRecord, hint: str) -> tuple[str, str]:
    """Repository and branch."""
    if isinstance(found, RunStatus):
        return found.run.repository, found.run.branch
    if found.job is None:
        raise NotFound(f"the datums of job {found.id} have expired", hint=hint)
    return found.job.repository, found.job.branch


def _job_ids(found: RunStatus | JobRecord) -> list[str]:
    if isinstance(found, JobRecord):
        return [found.id]
    return [job for pipeline in found.pipelines for job in pipeline.jobs]


def _hurry(server: ActionServer, found: RunStatus | JobRecord) -> int:
    """Have jobs that wait for their next try run now; returns how many datums they have."""
    number = 0
    for facts in server.jobs.facts(_job_ids(found)).values():
        if facts.state == "waiting" and facts.error:
            server.jobs.set_fields(facts.id, after="0", troubles="0")
            server.queues.enqueue("job", facts.id)
            number += len(facts.datums)
    return number


def _retried_keys(server: ActionServer, found: RunStatus | JobRecord) -> list[str]:
    """Keys of the datums that failed, were cancelled, or lack content."""
    if isinstance(found, JobRecord):
        return [key for _, key in found.datums]
    keys = {
        datum.key
        for pipeline in found.pipelines
        for datum in pipeline.datums
        if datum.state in ("failed", "cancelled") or datum.reason == "content-missing"
    }
    for facts in server.jobs.facts(_job_ids(found)).values():
        if facts.state in ("failed", "cancelled"):
            keys.update(key for _, key in facts.datums)
    return sorted(keys)
