"""Settings in, the parts put together out: the only place that knows them all."""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from tea_runner.broker.connection import connect
from tea_runner.broker.delivery_counts import DeliveryCounts
from tea_runner.broker.fleet import Fleet, read_fleet
from tea_runner.broker.job_logs import LogReader
from tea_runner.broker.job_store import JobStore
from tea_runner.broker.plan_requests import PlanRequestStore
from tea_runner.broker.recompute_requests import BranchRecomputeRequests
from tea_runner.broker.redis_server import EvictionPolicy, ServerFacts, server_facts
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.broker.rq_queues import Handler, Queues
from tea_runner.broker.run_store import RunStore
from tea_runner.broker.throughput import ThroughputStore
from tea_runner.core.errors import Refused, SettingsError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.job import Job
from tea_runner.core.redact import Redactor
from tea_runner.dataset.annex import Annex
from tea_runner.dataset.fetch_limits import FetchLimits
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.forge_subdatasets import ForgeSubdatasets
from tea_runner.dataset.git_environment import GitEnvironment, make_environment
from tea_runner.dataset.local_clone import Clone, open_clone
from tea_runner.dataset.mirror import FETCHED, Mirror, mirror_path
from tea_runner.dataset.shared_results import SharedResults
from tea_runner.dataset.special_remotes import Storage
from tea_runner.dataset.ssh_signature import Signer
from tea_runner.forge.forge_kinds import ForgeConnection, make_forge
from tea_runner.forge.hook_store import HookStore
from tea_runner.host.tool_path import tool_path
from tea_runner.host.tool_versions import tool_versions
from tea_runner.ports import Forge
from tea_runner.sandbox.kinds import KINDS, EnvironmentChoice, choose_environment
from tea_runner.sandbox.pipeline_secrets import GivenSecrets, PipelineSecret, give_secrets
from tea_runner.sandbox.protocol import Environment, Limits
from tea_runner.sandbox.scan_outputs import OutputLimits
from tea_runner.settings import Settings


@dataclass(frozen=True)
class Site:
    """Everything that one process of tea-runner works with."""

    settings: Settings
    #: The process's own environment variables.
    variables: Mapping[str, str]
    #: Seconds that Redis may take for an answer.
    patience: float = 5.0

    # -- environments of commands ------------------------------------------------------------

    @cached_property
    def choice(self) -> EnvironmentChoice:
        """What the operator decided about environments."""
        sandbox = self.settings.sandbox
        engines = [kind for kind in self.settings.environments if kind != "host"]
        said = self.settings.source("sandbox.path") != "default"
        return EnvironmentChoice(
            sandbox="off" if sandbox.kind == "off" else "host",
            container=engines[0] if engines else "",
            binds=tuple(sandbox.binds),
            path=sandbox.path if said else "",
            place=_folder(self.settings.state) / "etc",
            variables=self.variables,
        )

    @cached_property
    def host(self) -> Environment:
        """Where commands run that name no image; not checked yet."""
        return KINDS[self.choice.sandbox](self.choice)

    def environment(self, pipeline: Pipeline) -> Environment:
        """Where this pipeline's command runs.

        :raises Refused: when that cannot be had here; never something less instead.
        """
        kind = bool(pipeline.transform.image)
        if kind not in self._environments:
            self._environments[kind] = choose_environment(pipeline.transform.image, self.choice)
        return self._environments[kind]

    @cached_property
    def _environments(self) -> dict[bool, Environment]:
        return {}

    @property
    def limits(self) -> Limits:
        """What one command may use."""
        sandbox = self.settings.sandbox
        return Limits(
            memory=sandbox.memory or None,
            processes=sandbox.processes,
            file_size=sandbox.file_size,
            output_bytes=sandbox.output_bytes,
            output_files=sandbox.output_files,
        )

    @property
    def bounds(self) -> OutputLimits:
        """How much a command may leave as results."""
        sandbox = self.settings.sandbox
        return OutputLimits(size=sandbox.output_bytes, files=sandbox.output_files)

    # -- datasets ----------------------------------------------------------------------------

    @cached_property
    def git(self) -> GitEnvironment:
        """The environment of git for everything that comes from the forge."""
        forge, bot = self.settings.forge, self.settings.bot
        scheme = "file" if forge.kind == "folder" else urlsplit(forge.url).scheme
        return make_environment(
            _folder(self.settings.state),
            path=tool_path(self.variables),
            protocols=[scheme],
            url="" if forge.kind == "folder" else forge.url,
            user=forge.user,
            token=forge.token.reveal(),
            name=bot.name,
            email=bot.email,
            addresses=self.settings.annex.allowed_addresses,
            strict_hashes=self.settings.annex.strict_hashes,
        )

    @cached_property
    def forge(self) -> Forge:
        """The forge's client."""
        said = self.settings.forge
        reach = ForgeConnection(
            url=said.url,
            token=said.token.reveal(),
            timeout=said.timeout,
            ca_file=str(said.ca_file or ""),
        )
        return make_forge(said.kind, reach)

    @cached_property
    def hooks(self) -> HookStore:
        """The hooks that deliveries may come through."""
        return HookStore(_folder(self.settings.state) / "hooks")

    def watched(self) -> list[str]:
        """Repositories to look after: those in the settings, else those that have a hook."""
        patterns = list(self.settings.repositories)
        patterns += [hook.repository for hook in self.hooks.all()] if not patterns else []
        plain = [pattern for pattern in patterns if "*" not in pattern]
        wild = [pattern for pattern in patterns if "*" in pattern]
        found = list(self.forge.repositories(wild)) if wild else []
        return sorted({*plain, *found})

    def repository(self, name: str) -> ForgeDataset:
        """A dataset on the forge, with this host's mirror of it."""
        trusted = self.settings.trusted_repositories
        path = mirror_path(_folder(self.settings.state) / "mirrors", name)
        forge = self.settings.forge
        bounds = FetchLimits(size=forge.max_fetch, refs=forge.max_refs)
        mirror = Mirror(path, self.forge.remote_url(name), self.git, bounds)
        return ForgeDataset(
            name,
            mirror,
            Annex(path, self.git, self.storages),
            trusted=self.settings.trusted_branches,
            secret=self.secret,
            sign=self.signer,
            list_refs=functools.partial(self.forge.refs, name, *FETCHED),
            subdatasets=ForgeSubdatasets(
                name, self.forge_base, self.repository, allowed=self.settings.repositories
            ),
            shared_results=(
                SharedResults(name, lambda: self._named(trusted), self.repository)
                if trusted
                else None
            ),
        )

    def _named(self, patterns: Sequence[str]) -> list[str]:
        """The repositories that these patterns name."""
        wild = [pattern for pattern in patterns if "*" in pattern]
        found = self.forge.repositories(wild) if wild else []
        return sorted({*(pattern for pattern in patterns if "*" not in pattern), *found})

    @property
    def forge_base(self) -> str:
        """The address below which all repositories lie."""
        said = self.settings.forge
        return Path(said.url).resolve().as_uri() if said.kind == "folder" else said.url

    @property
    def storages(self) -> Sequence[Storage]:
        """The special remotes that workers may use, with their secrets read from files."""
        return [
            Storage(
                name=storage.name,
                uuid=storage.uuid,
                type=storage.type,
                options=dict(storage.options),
                env={name: path.read_text().strip() for name, path in storage.env},
            )
            for storage in self.settings.storage
        ]

    def clone(self, start: Path) -> Clone:
        """The dataset that a folder lies in."""
        variables = {**self.variables, "PATH": tool_path(self.variables)}
        return open_clone(start, variables)

    @property
    def who(self) -> str:
        """Author and committer of results commits."""
        return f"{self.settings.bot.name} <{self.settings.bot.email}>"

    @cached_property
    def signer(self) -> Signer | None:
        """Signs results commits, where the settings name a key."""
        key = self.settings.bot.signing_key
        return Signer(key, self.variables) if key else None

    # -- secrets -----------------------------------------------------------------------------

    @property
    def pipeline_secrets(self) -> Sequence[PipelineSecret]:
        """What commands of this host's workers may be given."""
        return [
            PipelineSecret(name=said.name, file=said.file, repositories=said.repositories)
            for said in self.settings.secrets
        ]

    def give_secrets(self, job: Job, pipeline: Pipeline, folder: Path) -> GivenSecrets:
        """What a pipeline's command gets.

        :raises Refused: when it asks for what it may not have.
        """
        return give_secrets(
            pipeline.transform.secrets,
            self.pipeline_secrets,
            repository=job.repository,
            trusted=not job.scope,
            folder=folder,
        )

    @cached_property
    def redactor(self) -> Redactor:
        """Knows every secret of this process, and takes it out of what leaves."""
        known = [self.settings.forge.token.reveal().encode()]
        known += [(urlsplit(self.settings.redis.url).password or "").encode()]
        known += [value.encode() for each in self.storages for value in each.env.values()]
        known += [text.encode() for hook in self.hooks.all() for text in hook.secrets]
        for secret in self.pipeline_secrets:
            known += secret.values().values()
        return Redactor([*known, self.secret])

    # -- the queue ---------------------------------------------------------------------------

    @cached_property
    def redis(self) -> redis.Redis:
        """The connection to Redis; it fails soon when there is none.

        :raises SettingsError: when no address is known.
        """
        return connect(self.redis_url, self.patience)

    def redis_facts(self) -> ServerFacts:
        """What Redis answers about itself.

        :raises QueueError: when it does not answer.
        :raises SettingsError: when no address is known.
        """
        return server_facts(self.redis)

    @property
    def redis_url(self) -> str:
        """The address of Redis.

        :raises SettingsError: when none is known.
        """
        url = self.settings.redis.url or self.embedded_redis_url
        if not url:
            raise SettingsError(
                "redis.url is not set and no server runs in the state folder; "
                "start one with: tea-runner up, or set TEA_RUNNER_REDIS__URL"
            )
        return url

    def service(self, kind: str, handler: Handler, **more: Any) -> QueueConsumer:
        """This process, carrying out one kind of work; see :class:`QueueConsumer`.

        :raises Refused: when Redis may throw work away.
        """
        # RQ waits for work on its connection: it must not be the one that fails soon.
        connection = connect(self.redis_url, None)
        policy = EvictionPolicy(self.redis)
        refusal = policy.problem()
        if refusal:
            raise Refused(refusal)
        ready = more.pop("ready", lambda: "")
        return QueueConsumer(
            connection,
            kind,
            handler,
            ready=lambda: policy.problem() or ready(),
            grace=self.settings.worker.grace,
            **more,
        )

    @property
    def embedded_redis_url(self) -> str:
        """The address of the server that ``tea-runner up`` keeps in the state folder, if it runs."""
        socket = _folder(self.settings.state) / "redis.sock"
        return f"unix://{socket}" if socket.exists() else ""

    @cached_property
    def secret(self) -> bytes:
        """The key that seals jobs; made once, readable by its owner only."""
        path = self.settings.redis.key_file or _folder(self.settings.state) / "queue.key"
        if not path.exists():
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode())
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        return path.read_bytes().strip()

    @cached_property
    def delivery_counts(self) -> DeliveryCounts:
        """Deliveries by what became of them."""
        return DeliveryCounts(self.redis)

    @cached_property
    def queues(self) -> Queues:
        """The queues, to put work in."""
        return Queues(self.redis)

    @cached_property
    def jobs(self) -> JobStore:
        """The state of all jobs."""
        said = self.settings.worker
        return JobStore(
            self.redis,
            self.queues.enqueue,
            secret=self.secret,
            lease=int(said.lease),
            crashes=said.crashes,
            redact=self.redactor.text,
        )

    @cached_property
    def plan_requests(self) -> PlanRequestStore:
        """What is to be planned, and what was."""
        return PlanRequestStore(self.redis, self.queues.enqueue)

    @cached_property
    def throughputs(self) -> ThroughputStore:
        """How fast pipelines are."""
        return ThroughputStore(self.redis)

    def recompute_requests(self, repository: str, branch: str) -> BranchRecomputeRequests:
        """What people want of a branch beyond what its commits say."""
        return BranchRecomputeRequests(self.redis, repository, branch, self.jobs.facts)

    # -- looking -----------------------------------------------------------------------------

    @cached_property
    def runs(self) -> RunStore:
        """How runs stand."""
        return RunStore(self.redis)

    def log(self, job_id: str) -> LogReader:
        """What a job printed."""
        return LogReader(self.redis, job_id)

    def fleet(self) -> Fleet:
        """The workers, and what waits for them."""
        return read_fleet(self.redis, self.jobs.live().values())

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Versions of the programs that do the work."""
        return tool_versions(tool_path(self.variables))


def _folder(path: Path) -> Path:
    path = path.expanduser()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
