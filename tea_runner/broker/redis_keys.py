"""All keys that tea-runner keeps in Redis, as one table: :data:`FAMILIES`.

A key family is called with its parts and returns a key's name.  It carries the module that writes
it, its type in Redis and its time to live in seconds.  No other module spells a key: scripts get
names as KEYS, and prefixes, where they complete a name themselves, as ARGV.  Each key may be lost
at any time; git and the forge hold what counts.
"""

from __future__ import annotations

from tea_runner.broker.branch_ids import branch_id, split_branch_id
from tea_runner.broker.fair_turn_keys import held, job_classes, line, running_jobs, turns
from tea_runner.broker.redis_key_pattern import (
    FAMILIES,
    NO_EXPIRY,
    PREFIX,
    RedisKeyPattern,
    redis_key_pattern,
)
from tea_runner.broker.session_and_request_keys import (
    answer,
    orders,
    question,
    session,
    sign_in_attempts,
    token,
    tokens,
)

__all__ = ["FAMILIES", "NO_EXPIRY", "PREFIX", "RedisKeyPattern", "branch_id", "split_branch_id"]
__all__ += ["held", "job_classes", "line", "running_jobs", "turns"]
__all__ += ["answer", "orders", "question", "session", "sign_in_attempts", "token", "tokens"]

_MINUTE = 60
_DAY = 86_400
#: Jobs, logs and runs are shown for two weeks.
_SHOWN = 14 * _DAY
#: Seconds until a lock of a process that was killed is free again.
LOCK_TTL = 6


# -- jobs ------------------------------------------------------------------------------------
# A *namespace* is a repository, or one untrusted branch of it: tea_runner.core.git.branch_results_scope.


@redis_key_pattern("hash", "job_store", _SHOWN)
def job(job_id: str) -> str:
    """State, sealed body, attempts, worker, times and error of a job."""
    return f"job:{job_id}"


@redis_key_pattern("set", "job_store")
def live_jobs() -> str:
    """Ids of all waiting and running jobs; see :mod:`tea_runner.broker.job_index`."""
    return "live-jobs"


@redis_key_pattern("sorted set", "job_store")
def known_jobs() -> str:
    """Ids of all jobs by the time they were enqueued; older ones than a job's hash are removed."""
    return "known-jobs"


@redis_key_pattern("string", "job_store", 45)
def lease(job_id: str) -> str:
    """Token of the claim on a running job; its time to live is the setting ``worker.lease``."""
    return f"lease:{job_id}"


@redis_key_pattern("set", "job_store", _SHOWN)
def subscribers(job_id: str) -> str:
    """Branches to plan again when a job has ended."""
    return f"subscribers:{job_id}"


@redis_key_pattern("set", "job_store")
def pending(branch: str) -> str:
    """Ids of the jobs that a branch (:func:`branch_id`) is subscribed to."""
    return f"pending:{branch}"


@redis_key_pattern("string", "job_store", _SHOWN)
def in_flight(namespace: str, key: str) -> str:
    """Id of the job that computes a datum's key."""
    return f"in-flight:{namespace}\n{key}"


@redis_key_pattern("string", "job_store", 30 * _DAY)
def failure(namespace: str, key: str) -> str:
    """Error of the last attempt at a datum's key, after which it is not retried by itself."""
    return f"failure:{namespace}\n{key}"


@redis_key_pattern("string", "datum_key_states", 10 * _MINUTE)
def missing(namespace: str, key: str) -> str:
    """Commit, ``git-annex`` tip and error of a datum whose inputs had no content, as JSON."""
    return f"missing:{namespace}\n{key}"


@redis_key_pattern("string", "datum_key_states", 10 * _MINUTE)
def any_missing(repository: str) -> str:
    """Exists while some :func:`missing` of the repository does, in any namespace."""
    return f"missing:{repository}"


# -- plans -----------------------------------------------------------------------------------


@redis_key_pattern("hash", "plan_requests")
def plan_requests() -> str:
    """Branches (:func:`branch_id`) with a plan request in the queue, to the reason.

    Beside counts and queue, all that the receiver's user of Redis may write: deploy/redis/users.acl.
    """
    return "plan:requests"


@redis_key_pattern("string", "plan_requests", LOCK_TTL)
def plan_lock(branch: str) -> str:
    """Token of the planner that plans a branch (:func:`branch_id`)."""
    return f"plan-lock:{branch}"


@redis_key_pattern("hash", "plan_requests")
def planned(repository: str) -> str:
    """Branches to the commit that was planned completely."""
    return f"planned:{repository}"


@redis_key_pattern("hash", "plan_requests")
def missing_content() -> str:
    """Branches (:func:`branch_id`) to the ``git-annex`` tips at which they lacked content, as JSON."""
    return "missing-content"


@redis_key_pattern("set", "plan_requests")
def failed_commit_statuses() -> str:
    """Branches (:func:`branch_id`) with commit statuses that the forge did not accept."""
    return "failed-statuses"


@redis_key_pattern("hash", "metric_counters")
def metrics() -> str:
    """Counters and histograms of all processes, and when the reconciler compared all repositories."""
    return "metrics"


@redis_key_pattern("list", "repair_log", _SHOWN)
def repairs() -> str:
    """What the reconciler repaired last, as JSON rows, the newest first."""
    return "repairs"


@redis_key_pattern("string", "notice_states", 90 * _DAY)
def noticed(branch: str) -> str:
    """What people were told of a branch (:func:`branch_id`) last: ``failed`` or ``recovered``."""
    return f"noticed:{branch}"


@redis_key_pattern("hash", "pull_request_notes", _SHOWN)
def pull_requests(repository: str) -> str:
    """Numbers of open pull requests to what was said of them, as JSON."""
    return f"pull-requests:{repository}"


@redis_key_pattern("set", "superdataset_triggers")
def superdatasets(repository: str) -> str:
    """Branches (:func:`branch_id`) of other datasets that track a branch of this subdataset."""
    return f"superdatasets:{repository}"


@redis_key_pattern("string", "superdataset_triggers")
def announced(branch: str) -> str:
    """Commit of a branch (:func:`branch_id`) that its superdatasets were last planned for."""
    return f"announced:{branch}"


@redis_key_pattern("sorted set", "schedule_times")
def next_ticks() -> str:
    """Branches (:func:`branch_id`) by the time of their next tick, in seconds since 1970."""
    return "next-ticks"


@redis_key_pattern("set", "asked_ticks", _DAY)
def asked_ticks(branch: str) -> str:
    """Pipelines and ticks that people asked for on a branch (:func:`branch_id`)."""
    return f"asked-ticks:{branch}"


@redis_key_pattern("set", "planner_signing_keys", _DAY)
def planner_keys() -> str:
    """Fingerprints of the keys with which the planners of this server sign results."""
    return "planner-keys"


@redis_key_pattern("hash", "live_processes")
def processes() -> str:
    """Names of planners, workers and reconcilers to what they are and offer, as JSON."""
    return "processes"


@redis_key_pattern("set", "live_processes", 10 * _MINUTE)
def draining_hosts() -> str:
    """Names of hosts whose workers take no more jobs, because the autoscaler stops them."""
    return "draining-hosts"


@redis_key_pattern("string", "signing_key_fingerprint")
def queue_key() -> str:
    """Fingerprint of the key with which the planners of this server sign jobs."""
    return "queue-key"


@redis_key_pattern("hash", "publication_counts", _SHOWN)
def publications(branch: str) -> str:
    """Pipelines of a branch (:func:`branch_id`) to their results commits since the last push."""
    return f"publications:{branch}"


# -- requests to recompute -------------------------------------------------------------------


@redis_key_pattern("hash", "recompute_requests", _DAY)
def recompute(branch: str) -> str:
    """Keys and pipelines of a branch (:func:`branch_id`) to recompute, to the request's id."""
    return f"recompute:{branch}"


@redis_key_pattern("string", "recompute_requests")
def ledger(repository: str) -> str:
    """How often results of each pipeline were reproduced, as JSON."""
    return f"ledger:{repository}"


@redis_key_pattern("string", "recompute_requests", _DAY)
def recorded_verdict(repository: str, request: str, pipeline: str, key: str) -> str:
    """Exists when the ledger has counted the verdict of a request."""
    return f"recorded-verdict:{repository}\n{request}\n{pipeline}\n{key}"


@redis_key_pattern("string", "recompute_requests", LOCK_TTL)
def enqueue_lock() -> str:
    """Token of the planner that looks for known results and enqueues jobs."""
    return "enqueue-lock"


# -- runs and statuses -----------------------------------------------------------------------


@redis_key_pattern("string", "run_store", _SHOWN)
def run(run_id: str) -> str:
    """A run, as JSON."""
    return f"run:{run_id}"


@redis_key_pattern("hash", "run_store", _SHOWN)
def run_datums(run_id: str) -> str:
    """Numbers of a run's pipelines to their datums, as compressed JSON."""
    return f"run-datums:{run_id}"


@redis_key_pattern("string", "run_store", _SHOWN)
def next_run(run_id: str) -> str:
    """Id of the run of the same branch after this one."""
    return f"next-run:{run_id}"


@redis_key_pattern("string", "run_store", _SHOWN)
def branch_run(branch: str) -> str:
    """Id of the latest run of a branch (:func:`branch_id`)."""
    return f"branch-run:{branch}"


@redis_key_pattern("set", "run_store")
def open_runs() -> str:
    """Ids of the runs that have not ended, and of superseded ones whose statuses are not posted."""
    return "open-runs"


@redis_key_pattern("string", "run_store", _SHOWN)
def run_summary(run_id: str) -> str:
    """A run without its datums and jobs, as JSON."""
    return f"run-summary:{run_id}"


@redis_key_pattern("string", "run_store", _SHOWN)
def run_of_job(job_id: str) -> str:
    """Id of the latest run that enqueued a job."""
    return f"run-of-job:{job_id}"


@redis_key_pattern("sorted set", "run_store")
def runs() -> str:
    """Ids of the latest runs of all repositories, by the time they began."""
    return "runs"


@redis_key_pattern("sorted set", "run_store", _SHOWN)
def runs_of(repository: str) -> str:
    """Ids of the latest runs of one repository, by the time they began."""
    return f"runs:{repository}"


@redis_key_pattern("sorted set", "run_store")
def repositories() -> str:
    """Repositories that have runs, by the time of the last one."""
    return "repositories"


@redis_key_pattern("hash", "run_store", _SHOWN)
def commit_statuses(repository: str, commit: str) -> str:
    """Contexts to state and description of the statuses that the forge accepted for a commit."""
    return f"status:{repository}:{commit}"


@redis_key_pattern("string", "datum_measures", _SHOWN)
def measures(job_id: str) -> str:
    """What was measured of the datums of a job, as compressed JSON."""
    return f"measures:{job_id}"


@redis_key_pattern("string", "datum_measures", _SHOWN)
def job_details(job_id: str) -> str:
    """Command, inputs, outputs and previews of the datums of a job, as compressed JSON."""
    return f"job-details:{job_id}"


# -- logs and counts -------------------------------------------------------------------------


@redis_key_pattern("string", "job_logs", _SHOWN)
def log_head(job_id: str) -> str:
    """The first bytes of a job's log."""
    return f"log:{job_id}:head"


@redis_key_pattern("string", "job_logs", _SHOWN)
def log_tail(job_id: str) -> str:
    """The last bytes of a job's log."""
    return f"log:{job_id}:tail"


@redis_key_pattern("string", "job_logs", _SHOWN)
def log_dropped(job_id: str) -> str:
    """How many bytes between head and tail of a job's log were dropped."""
    return f"log:{job_id}:dropped"


@redis_key_pattern("list", "job_logs", _SHOWN)
def log_marks(job_id: str) -> str:
    """Places in a job's log: bytes before, number of the line, and when it was written."""
    return f"log:{job_id}:marks"


@redis_key_pattern("hash", "datum_durations", 90 * _DAY)
def throughput(repository: str) -> str:
    """Pipelines to the mean seconds that a datum took."""
    return f"throughput:{repository}"


@redis_key_pattern("hash", "delivery_counts")
def delivery_counts() -> str:
    """Verdicts on webhook deliveries to their number."""
    return "deliveries"


@redis_key_pattern("list", "recent_trigger_events", _SHOWN)
def events() -> str:
    """The last events of triggers, the newest first, as JSON."""
    return "events"


@redis_key_pattern("list", "recent_trigger_events", _SHOWN)
def starts() -> str:
    """The last ticks and other starts of pipelines, the newest first, as JSON."""
    return "starts"


@redis_key_pattern("hash", "recent_trigger_events")
def event_counts() -> str:
    """Triggers and outcomes to the number of events."""
    return "event-counts"


# -- keys of RQ that are read here; tests/broker/test_rq_private_parts.py compares them with RQ's ---


def rq_workers(queue: str = "") -> str:
    """Set of the keys of all workers, or of those of one queue."""
    return f"rq:workers:{queue}" if queue else "rq:workers"


def rq_worker(name: str) -> str:
    """Hash of what RQ notes of a worker."""
    return f"rq:worker:{name}"


def rq_queue(queue: str) -> str:
    """List of the ids of the jobs in a queue."""
    return f"rq:queue:{queue}"
