"""All settings with their defaults and help texts, in groups.

The generated settings file, ``docs/reference/settings.md`` and the names of the ``TEA_RUNNER_…``
variables are derived from these classes.
"""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tea_runner.settings.approval_limit_options import LimitsOptions
from tea_runner.settings.autoscale_options import AutoscaleOptions
from tea_runner.settings.executor_options import RunOptions, SlurmOptions
from tea_runner.settings.image_options import ImagesOptions
from tea_runner.settings.log_options import LogOptions
from tea_runner.settings.notify_options import NotifyOptions
from tea_runner.settings.option import MEBI, SecretValue, option
from tea_runner.settings.pages_options import MetricsOptions, PagesOptions
from tea_runner.settings.results_options import (
    BotOptions,
    OutputsOptions,
    ResultsOptions,
    TrustOptions,
)
from tea_runner.settings.schedule_options import ScheduleOptions
from tea_runner.settings.storage_and_secret_options import SecretFile, StorageOptions
from tea_runner.settings.trigger_options import TriggerOptions
from tea_runner.settings.worker_options import WorkerOptions


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """The queue."""

    url: str = option(
        "",
        "URL of Redis or Valkey: redis://…, rediss://… or unix:///path. Empty: the server that "
        "tea-runner up starts in the state folder.",
    )
    key_file: Path | None = option(
        None,
        "File with the key that signs jobs and results. Empty: a key is generated in the state "
        "folder. All hosts need the same key.",
    )


@dataclass(frozen=True, kw_only=True)
class ForgeOptions:
    """The forge that holds the datasets."""

    kind: Literal["gitea", "gogs", "github", "gitlab", "bitbucket", "folder"] = option(
        "gitea",
        "gitea: Gitea, Forgejo or the embedded forge. gogs: Gogs or GIN. github: GitHub. gitlab: GitLab. "
        "bitbucket: Bitbucket Data Center. folder: bare repositories in a plain folder.",
    )
    url: str = option(
        "http://127.0.0.1:3000",
        "URL of the forge as seen from this machine; for kind folder, the path of the folder. "
        "Repositories are cloned only from below this URL.",
    )
    user: str = option("tea-runner", "The bot's user name on the forge.")
    token: SecretValue = option(
        SecretValue(),
        "The bot's token (scopes write:repository, write:issue and read:user). Not allowed in the settings "
        "file: use token_file.",
    )
    token_file: Path | None = option(None, "File with the bot's token.")
    ca_file: Path | None = option(
        None,
        "Certificates (PEM) of the forge, in place of those of the system; git and git-annex get them too.",
    )
    other_addresses: tuple[str, ...] = option(
        (),
        "Addresses of subdatasets for which a repository of this forge stands, each "
        "ADDRESS=OWNER/NAME: of a RIA store, another host, or the forge's host for ssh. A prefix that "
        "ends in /, : or # may have OWNER/ or nothing, such as git@ssh.example.org:= for all of a host.",
    )
    timeout: float = option(
        15.0, "Maximum time for a response of the forge's API.", unit="seconds", least=0.1
    )
    max_fetch: int = option(
        16 * 1024 * MEBI,
        "Maximum size of one git fetch (history and trees, without the content of annexed files). "
        "A repository that sends more is refused.",
        unit="bytes",
        least=MEBI,
    )
    max_refs: int = option(
        50_000,
        "Maximum number of refs of a repository, including those of unpublished results. A "
        "repository with more is refused.",
        least=1,
    )


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The receiver and the pages."""

    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(1706, "Port to listen on; 0 chooses a free one.", least=0)
    processes: int = option(2, "Number of receiver processes.", least=1)
    url: str = option(
        "",
        "URL of the receiver for the forge and for users, in webhooks and commit statuses. "
        "Empty: http://host:port.",
    )
    hosts: tuple[str, ...] = option(
        (),
        "Further host names under which the receiver and the pages are reached, such as "
        "tea.lan or *.example.org. The host of web.url, web.host and loopback are always "
        "accepted, and all IP addresses if web.host is 0.0.0.0 or ::. Other names get 421, except for "
        "/healthz and /readyz.",
    )
    max_body: int = option(
        64 * MEBI,
        "Maximum size of a delivery. Pushes of very many files have deliveries of tens of "
        "megabytes.",
        unit="bytes",
        least=1024,
    )


@dataclass(frozen=True, kw_only=True)
class AnnexOptions:
    """Content of annexed files."""

    allowed_addresses: tuple[str, ...] = option(
        (), "Private IP addresses that git-annex may connect to, such as that of your S3 server."
    )
    strict_hashes: bool = option(
        False, "Accept only annex keys with a cryptographically secure hash (not MD5 or SHA1)."
    )
    gnupg_home: Path | None = option(
        None,
        "Folder with the keys of GnuPG (GNUPGHOME) for storages with encryption=hybrid, pubkey or "
        "sharedpubkey; the key has no passphrase. encryption=shared needs none.",
    )


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What a command of the host environment may do."""

    kind: Literal["bwrap", "off"] = option(
        "bwrap",
        "bwrap: commands run in bubblewrap, or are refused if it is not available. off: commands "
        "run with all rights of the worker; only for pipelines that you trust.",
    )
    user: str = option("nobody", "User of commands if the worker runs as root.")
    network: bool = option(False, "Whether pipelines may use the network if they request it.")
    share_host_network: bool = option(
        False,
        "Whether commands with a network share that of the host, with all that listens on its "
        "loopback, its abstract sockets and its private addresses. Otherwise each has a network of its "
        "own, which needs slirp4netns and nftables.",
    )
    allowed_addresses: tuple[str, ...] = option(
        (),
        "Private addresses that commands with a network of their own may connect to, such as "
        "10.1.2.3, 10.1.0.0/16 or 10.1.2.3:9000. All others, and those of this host, are closed.",
    )
    engine_network: str = option(
        "",
        "Network of docker's or podman's containers with a network, such as one with rules of your own. "
        "Empty: the engine's usual one, which docker does not separate from private addresses.",
    )
    path: str = option(
        "/usr/local/bin:/usr/bin:/bin", "PATH of commands; its folders are readable."
    )
    binds: tuple[Path, ...] = option(
        (), "More folders that commands may read, such as a software installation."
    )
    identity: str = option(
        "",
        "What the software is that commands without an image see, such as lab-2026-11: it is in their "
        "keys, so that another one computes them again. python: the packages that are installed in the "
        "Python environment of the first folder of sandbox.path that is in one. Planners and workers "
        "need the same. Empty: keys have the word host only.",
    )
    memory: int = option(
        4096 * MEBI, "Maximum memory of a command; 0 is no limit.", unit="bytes", least=0
    )
    require_cgroup: bool = option(
        False,
        "Whether commands are refused on hosts where no control group limits their memory. Without one "
        "the memory of their processes is checked, which a hostile command can evade.",
    )
    wall_clock: float = option(
        259_200.0,
        "Maximum time of a datum, with all its tries and err_cmd, whatever the pipeline asks for; 0 is no "
        "limit.",
        unit="seconds",
        least=0,
    )
    processes: int = option(512, "Maximum number of processes and threads of a command.", least=1)
    file_size: int = option(
        16384 * MEBI, "Maximum size of a file that a command writes.", unit="bytes", least=1
    )
    git_file_size: int = option(
        1024 * MEBI,
        "Maximum size of a file that is kept in git, as an input or a result of a command. A larger "
        "one has to be annexed.",
        unit="bytes",
        least=1,
    )
    output_files: int = option(100_000, "Maximum number of result files of a command.", least=1)
    output_bytes: int = option(
        65536 * MEBI, "Maximum total size of result files of a command.", unit="bytes", least=1
    )


@dataclass(frozen=True, kw_only=True)
class ResourcesOptions:
    """The most that a pipeline may ask for in resource_requests and resource_limits."""

    memory: int | None = option(
        None,
        "Largest memory. Empty: sandbox.memory.",
        unit="bytes",
        least=1,
    )
    cpu: float | None = option(None, "Most processors. Empty: any number.", least=0)
    disk: int | None = option(None, "Largest disk. Empty: any size.", unit="bytes", least=1)
    gpu: int | None = option(None, "Most GPUs; 0 refuses them. Empty: any number.", least=0)


@dataclass(frozen=True, kw_only=True)
class ReconcileOptions:
    """Comparison of the forge with the plans, for missed deliveries."""

    every: float = option(60.0, "Interval of the comparison.", unit="seconds", least=1)


@dataclass(frozen=True, kw_only=True)
class CommitStatusOptions:
    """Commit statuses and comments on the forge."""

    context: str = option("tea-runner", "Context (name) of commit statuses.")
    comment: bool = option(
        True,
        "Whether each open pull request, also from forks, gets one comment that says what its newest commit "
        "would run or has run, and is written anew when that changes. Planning it reads git only. The "
        "forge's token needs write:issue.",
    )


EnvironmentKind = Literal["host", "docker", "podman", "apptainer"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """All settings."""

    state: Path = option(
        Path("~/.local/state/tea-runner"),
        "Folder of webhooks, logs, mirrors and the embedded servers.",
        shown="~/.local/state/tea-runner",
    )
    scratch: Path = option(
        Path("{state}/scratch"),
        "Folder of running jobs; needs space for the inputs and outputs of all parallel jobs.",
        shown="<state>/scratch",
    )
    repositories: tuple[str, ...] = option(
        (),
        "Repositories to process, as owner/name patterns such as lab/* or */*. Empty: those with"
        " a webhook.",
    )
    branches: tuple[str, ...] = option(("*",), "Branches to process, as patterns.")
    trusted_branches: tuple[str, ...] = option(
        (),
        "Branches whose results all other branches may reuse, and whose pipelines may use secrets, as "
        "patterns. Empty: in each repository its default branch and the branches that the forge "
        "protects. Protect them, the default branch too.",
    )
    pull_requests: bool = option(
        False,
        "Whether single commits of pull requests, also from forks, are processed after "
        "`tea-runner pr approve`. They run on branches pull/*, which are never trusted and get no secrets "
        "and no network.",
    )
    trusted_repositories: tuple[str, ...] = option(
        (),
        "Repositories of this forge, as owner/name patterns, whose results on trusted branches may be "
        "reused by all repositories that are processed here. Empty: each repository uses only its own "
        "results.",
    )
    max_publications: int = option(
        20,
        "Maximum number of results commits of one pipeline after a push. A branch that does not "
        "settle within them is stopped until the next push, or `tea-runner retry`.",
        least=2,
    )
    trusted_signers: tuple[str, ...] = option(
        (),
        "Public keys (lines as in id_ed25519.pub) whose signed results count here, beside the key of this "
        "installation; `tea-runner trust key` prints one. (bot.allowed_signers is about commits.)",
    )
    environments: tuple[EnvironmentKind, ...] = option(
        ("host",),
        "Environments of the workers on this host: host, docker, podman, apptainer.",
    )
    storage: tuple[StorageOptions, ...] = option(
        (),
        "Special remotes that workers may use, one [[storage]] table each: name, uuid, type, "
        "options (a table), env (a table: variable = file with the secret), repositories (owner/name "
        "patterns that it is open to; without it, all, as long as everybody who may read one of them may "
        "read the others). No other remote is enabled. Addresses in the dataset's configuration of the "
        "remote (host, bucket, url, rsyncurl, ...) must be repeated in options.",
    )
    secrets: tuple[SecretFile, ...] = option(
        (),
        "Secrets that pipelines may request with transform.secrets, one [[secrets]] table each: "
        "name, file (or a folder with a file per key), repositories (owner/name patterns). Only for "
        "trusted branches.",
    )
    triggers: tuple[TriggerOptions, ...] = option(
        (),
        "Sources of events besides the forge, one [[triggers]] table each: name, kind (webhook, objects, "
        "http, sse, kinesis, nats, mqtt or websocket), repository (owner/name), branch, folder (of the "
        "dataset, for what events bring; without it, an event of a webhook asks for a plan), path "
        "(template below the folder), keep and id (JSON pointers), max_body (bytes), and who may send: "
        "secret_file (HMAC-SHA256 in the header signature), token_file (bearer), addresses. Of kind "
        "objects: storage (name of a [[storage]] with importtree=yes), every (seconds). Of http and sse: "
        "url, token_file (sent to it), every (seconds, of http). Of kinesis, nats and mqtt: stream, env "
        "(a table: variable = file). Of nats, mqtt and websocket: url.",
    )
    redis: RedisOptions = field(default_factory=RedisOptions)
    forge: ForgeOptions = field(default_factory=ForgeOptions)
    web: WebOptions = field(default_factory=WebOptions)
    pages: PagesOptions = field(default_factory=PagesOptions)
    metrics: MetricsOptions = field(default_factory=MetricsOptions)
    annex: AnnexOptions = field(default_factory=AnnexOptions)
    sandbox: SandboxOptions = field(default_factory=SandboxOptions)
    images: ImagesOptions = field(default_factory=ImagesOptions)
    outputs: OutputsOptions = field(default_factory=OutputsOptions)
    resources: ResourcesOptions = field(default_factory=ResourcesOptions)
    limits: LimitsOptions = field(default_factory=LimitsOptions)
    worker: WorkerOptions = field(default_factory=WorkerOptions)
    log: LogOptions = field(default_factory=LogOptions)
    run: RunOptions = field(default_factory=RunOptions)
    slurm: SlurmOptions = field(default_factory=SlurmOptions)
    autoscale: AutoscaleOptions = field(default_factory=AutoscaleOptions)
    reconcile: ReconcileOptions = field(default_factory=ReconcileOptions)
    schedules: ScheduleOptions = field(default_factory=ScheduleOptions)
    status: CommitStatusOptions = field(default_factory=CommitStatusOptions)
    notify: NotifyOptions = field(default_factory=NotifyOptions)
    bot: BotOptions = field(default_factory=BotOptions)
    results: ResultsOptions = field(default_factory=ResultsOptions)
    trust: TrustOptions = field(default_factory=TrustOptions)
