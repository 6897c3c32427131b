"""All parts of one process; this module adds Redis and the redaction of secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tea_runner.core.errors import Refused, SettingsError, TeaError
from tea_runner.core.redact import Redactor
from tea_runner.host.log_redaction import redact_logs
from tea_runner.wiring.datasets import DatasetSite
from tea_runner.wiring.sandboxes import SandboxSite
from tea_runner.wiring.trigger_dependencies import TriggersSite

if TYPE_CHECKING:
    import redis

    from tea_runner.broker.approval_and_pause_store import OrderStore
    from tea_runner.broker.asked_ticks import BranchAskedTicks
    from tea_runner.broker.datum_durations import ThroughputStore
    from tea_runner.broker.datum_measures import MeasureStore
    from tea_runner.broker.delivery_counts import DeliveryCounts
    from tea_runner.broker.job_logs import JobLog, LogReader
    from tea_runner.broker.job_store import JobStore
    from tea_runner.broker.live_processes import LiveProcesses
    from tea_runner.broker.metric_counters import MetricCounters
    from tea_runner.broker.notice_states import NoticeStates
    from tea_runner.broker.plan_requests import PlanRequestStore
    from tea_runner.broker.planner_query_store import QuestionStore
    from tea_runner.broker.planner_signing_keys import ResultsSigners
    from tea_runner.broker.publication_counts import BranchPublicationCounts
    from tea_runner.broker.pull_request_notes import PullRequestNotes
    from tea_runner.broker.queue_consistency import QueueConsistency
    from tea_runner.broker.recent_trigger_events import EventList
    from tea_runner.broker.recompute_requests import BranchRecomputeRequests
    from tea_runner.broker.redis_server import ServerFacts
    from tea_runner.broker.repair_log import RepairLog
    from tea_runner.broker.rq_consumer import QueueConsumer
    from tea_runner.broker.rq_queues import Handler, Queues
    from tea_runner.broker.run_store import RunStore
    from tea_runner.broker.schedule_times import ScheduleTimes
    from tea_runner.broker.session_store import SessionStore
    from tea_runner.broker.sign_in_attempts import SignInAttempts
    from tea_runner.broker.signing_key_fingerprint import QueueKeyFingerprint
    from tea_runner.broker.superdataset_triggers import SuperdatasetStore
    from tea_runner.broker.token_store import TokenStore
    from tea_runner.broker.workers_and_queues import Fleet
    from tea_runner.core.spec.schedule import ScheduleClock


class Site(DatasetSite, SandboxSite, TriggersSite):
    """All parts of one process of tea-runner, each built at its first use."""

    @cached_property
    def redactor(self) -> Redactor:
        """Replaces every secret of this process in texts that leave it."""
        from tea_runner.host.proxy_and_certificates import proxy_passwords

        secrets = [self.settings.forge.token.reveal().encode()]
        secrets += [(urlsplit(self.settings.redis.url).password or "").encode()]
        secrets += [each.encode() for each in proxy_passwords(self.variables)]
        secrets += [value.encode() for each in self.storages for value in each.env.values()]
        secrets += [text.encode() for hook in self.webhooks.all() for text in hook.secrets]
        secrets += [text.encode() for text in self._notify_secrets()]
        secrets += [text.encode() for text in self.trigger_secrets()]
        for secret in self.pipeline_secrets:
            secrets += secret.values().values()
        return Redactor([*secrets, self.secret])

    def notify_secret(self, name: str) -> str:
        """A secret of ``[notify]``; empty where there is none.

        :param name: of the setting with its file.
        :raises SettingsError: when the file cannot be read.
        """
        from tea_runner.settings.load import read_secret

        file = getattr(self.settings.notify, name)
        return read_secret(file, f"notify.{name}", "the settings").reveal() if file else ""

    def _notify_secrets(self) -> Iterator[str]:
        """Secrets of notices; a file that cannot be read is reported where it is used."""
        for name in ("smtp_password_file", "webhook_file"):
            with contextlib.suppress(SettingsError):
                yield self.notify_secret(name)

    def redact_receiver_logs(self) -> None:
        """Remove from this process's log what a receiver knows of secrets, also of webhooks added later.

        The files of pipelines' secrets and the keys of workers need not be readable for a receiver.
        """
        own = [
            self.settings.forge.token.reveal(),
            urlsplit(self.redis_url).password or "",
            self.pages_token,
            self.metrics_token,
            *self.trigger_secrets(),
        ]
        known: tuple[float, Redactor] | None = None

        def redact(text: str) -> str:
            nonlocal known
            try:
                stamp = self.webhooks.folder.stat().st_mtime
                if known is None or known[0] != stamp:
                    hooks = [each for hook in self.webhooks.all() for each in hook.secrets]
                    known = (stamp, Redactor(secret.encode() for secret in (*own, *hooks)))
            except (OSError, TeaError):
                known = known or (0.0, Redactor(secret.encode() for secret in own))
            return known[1].redact_text(text)

        redact_logs(redact)

    @property
    def redis_url(self) -> str:
        """URL of Redis.

        :raises SettingsError: when none is set and no server runs in the state folder.
        """
        url = self.settings.redis.url or self.embedded_redis_url
        if not url:
            raise SettingsError(
                "redis.url is not set and no server runs in the state folder; "
                "start one with: tea-runner up, or set TEA_RUNNER_REDIS__URL"
            )
        return url

    @property
    def embedded_redis_url(self) -> str:
        """URL of the server that ``tea-runner up`` keeps in the state folder; empty without one."""
        socket = self.state_folder / "redis.sock"
        return f"unix://{socket}" if socket.exists() else ""

    @cached_property
    def redis(self) -> redis.Redis:
        """Connection to Redis, with a short time limit.

        :raises SettingsError: when its URL is not set.
        """
        from tea_runner.broker.connection import connect

        return connect(self.redis_url, self.redis_timeout)

    def redis_facts(self) -> ServerFacts:
        """Version and configuration of the Redis server.

        :raises QueueError: when it does not answer; SettingsError when its URL is not set.
        """
        from tea_runner.broker.redis_server import server_facts

        return server_facts(self.redis)

    def consumer(self, kind: str, handler: Handler, **more: Any) -> QueueConsumer:
        """A consumer of one queue; see :class:`QueueConsumer`.

        :raises Refused: when Redis may evict keys.
        """
        from tea_runner.broker.connection import connect
        from tea_runner.broker.redis_server import EvictionPolicy
        from tea_runner.broker.rq_consumer import QueueConsumer

        policy = EvictionPolicy(self.redis)
        if refusal := policy.problem():
            raise Refused(refusal)
        ready, worker = more.pop("ready", lambda: ""), self.settings.worker
        return QueueConsumer(
            connect(self.redis_url, None),  # RQ blocks on it: no time limit
            kind,
            handler,
            ready=lambda: policy.problem() or ready(),
            grace=worker.grace,
            priorities=worker.priorities,
            limits=worker.limits,
            **more,
        )

    @cached_property
    def processes(self) -> LiveProcesses:
        """Processes of this server that run."""
        from tea_runner.broker.live_processes import LiveProcesses

        return LiveProcesses(self.redis)

    @cached_property
    def planner_keys(self) -> ResultsSigners:
        """Keys of all planners of this server."""
        from tea_runner.broker.planner_signing_keys import ResultsSigners

        return ResultsSigners(self.redis)

    @cached_property
    def queue_key(self) -> QueueKeyFingerprint:
        """The key that signs jobs, compared with that of the planners."""
        from tea_runner.broker.signing_key_fingerprint import QueueKeyFingerprint

        return QueueKeyFingerprint(self.redis, self.secret)

    @cached_property
    def queues(self) -> Queues:
        """The queues of RQ."""
        from tea_runner.broker.rq_queues import Queues

        return Queues(self.redis)

    @cached_property
    def jobs(self) -> JobStore:
        """States of all jobs."""
        from tea_runner.broker.job_store import JobStore

        return JobStore(
            self.redis,
            self.queues.enqueue,
            secret=self.secret,
            lease=int(self.settings.worker.lease),
            crashes=self.settings.worker.crashes,
            redact=self.redactor.redact_text,
            has_planners_key=lambda: self.queue_key.state() == "same",
        )

    @cached_property
    def metric_counters(self) -> MetricCounters:
        """What processes count together, for metrics."""
        from tea_runner.broker.metric_counters import MetricCounters

        return MetricCounters(self.redis)

    @cached_property
    def repair_log(self) -> RepairLog:
        """What the reconciler has repaired lately."""
        from tea_runner.broker.repair_log import RepairLog

        return RepairLog(self.redis)

    @cached_property
    def notice_states(self) -> NoticeStates:
        """What people were told of branches."""
        from tea_runner.broker.notice_states import NoticeStates

        return NoticeStates(self.redis)

    def pull_request_notes(self, repository: str) -> PullRequestNotes:
        """What was said of the pull requests of a repository."""
        from tea_runner.broker.pull_request_notes import PullRequestNotes

        return PullRequestNotes(self.redis, repository)

    @cached_property
    def plan_requests(self) -> PlanRequestStore:
        """Branches that are to be planned."""
        from tea_runner.broker.plan_requests import PlanRequestStore

        return PlanRequestStore(self.redis, self.queues.enqueue)

    @cached_property
    def orders(self) -> OrderStore:
        """Pauses and approvals."""
        from tea_runner.broker.approval_and_pause_store import OrderStore

        return OrderStore(
            self.redis,
            secret=self.secret,
            copy=self.state_folder / "orders.json",
            key_problem=lambda: self.queue_key.problem(),
        )

    @cached_property
    def questions(self) -> QuestionStore:
        """Questions to planners."""
        from tea_runner.broker.planner_query_store import QuestionStore

        return QuestionStore(self.redis, self.queues.enqueue, secret=self.secret)

    def recompute_requests(self, repository: str, branch: str) -> BranchRecomputeRequests:
        """Recompute requests for one branch."""
        from tea_runner.broker.recompute_requests import BranchRecomputeRequests

        return BranchRecomputeRequests(self.redis, repository, branch, self.jobs)

    def publication_counts(self, repository: str, branch: str) -> BranchPublicationCounts:
        """How often pipelines of one branch were published."""
        from tea_runner.broker.publication_counts import BranchPublicationCounts

        return BranchPublicationCounts(self.redis, repository, branch)

    @cached_property
    def superdatasets(self) -> SuperdatasetStore:
        """Branches to plan again when a subdataset moves."""
        from tea_runner.broker.superdataset_triggers import SuperdatasetStore

        return SuperdatasetStore(self.redis, self.plan_requests)

    def clock(self, repository: str, branch: str) -> ScheduleClock:
        """The clock of a branch; see :func:`~tea_runner.wiring.schedule_clocks.clock_of_branch`."""
        from tea_runner.wiring.schedule_clocks import clock_of_branch

        return clock_of_branch(self, repository, branch)

    def asked_ticks(self, repository: str, branch: str) -> BranchAskedTicks:
        """Ticks that people asked for on one branch."""
        from tea_runner.broker.asked_ticks import BranchAskedTicks

        return BranchAskedTicks(
            self.redis,
            repository,
            branch,
            secret=self.secret,
            key_problem=lambda: self.queue_key.problem(),
        )

    @cached_property
    def schedule_times(self) -> ScheduleTimes:
        """When schedules of branches tick next."""
        from tea_runner.broker.schedule_times import ScheduleTimes

        return ScheduleTimes(self.redis)

    @cached_property
    def consistency(self) -> QueueConsistency:
        """Scanner for what was lost in Redis."""
        from tea_runner.broker.queue_consistency import QueueConsistency

        return QueueConsistency(self.redis, self.queues)

    @cached_property
    def runs(self) -> RunStore:
        """The latest runs."""
        from tea_runner.broker.run_store import RunStore

        return RunStore(self.redis)

    @cached_property
    def sessions(self) -> SessionStore:
        """Sessions of people who signed in on the pages."""
        from tea_runner.broker.session_store import SessionStore

        return SessionStore(self.redis, self.pages_key, self.settings.pages.session)

    @cached_property
    def sign_in_attempts(self) -> SignInAttempts:
        """Failed attempts to sign in."""
        from tea_runner.broker.sign_in_attempts import SignInAttempts

        return SignInAttempts(self.redis)

    @cached_property
    def tokens(self) -> TokenStore:
        """Tokens that people made on a page."""
        from tea_runner.broker.token_store import TokenStore

        return TokenStore(self.redis, self.pages_key)

    @cached_property
    def throughputs(self) -> ThroughputStore:
        """Measured seconds per datum of pipelines."""
        from tea_runner.broker.datum_durations import ThroughputStore

        return ThroughputStore(self.redis)

    @cached_property
    def measures(self) -> MeasureStore:
        """What was measured of the datums of jobs."""
        from tea_runner.broker.datum_measures import MeasureStore

        return MeasureStore(self.redis)

    @cached_property
    def delivery_counts(self) -> DeliveryCounts:
        """Numbers of deliveries by outcome."""
        from tea_runner.broker.delivery_counts import DeliveryCounts

        return DeliveryCounts(self.redis)

    @cached_property
    def events(self) -> EventList:
        """The last events of triggers."""
        from tea_runner.broker.recent_trigger_events import EventList

        return EventList(self.redis)

    def job_log(self, job_id: str) -> JobLog:
        """Writer of a job's log."""
        from tea_runner.broker.job_logs import JobLog

        limit = self.settings.log.max_bytes
        return JobLog(self.redis, job_id, limit, redact=self.redactor.redact)

    def log(self, job_id: str) -> LogReader:
        """Reader of a job's log."""
        from tea_runner.broker.job_logs import LogReader

        return LogReader(self.redis, job_id)

    def fleet(self) -> Fleet:
        """Workers, and the lengths of the queues."""
        from tea_runner.broker.workers_and_queues import read_fleet

        return read_fleet(self.redis, self.jobs.live().values(), self.processes.all())
