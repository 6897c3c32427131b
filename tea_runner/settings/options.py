"""What can be set: each group a frozen value, each option with its default and its help beside it.

The generated settings file, ``docs/reference/settings.md`` and the names of the ``TEA_RUNNER_…``
variables all come from here; :mod:`tea_runner.settings.load` fills it.
"""

# ruff: noqa: RUF009 - option() only makes the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

MEBI = 1 << 20


class SecretValue(str):
    """Text that is never shown: ``repr`` and ``str`` are masked; :meth:`reveal` is the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self.reveal() else "''"

    def __str__(self) -> str:
        return "***" if self.reveal() else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The text itself."""
        return "".join(self)


def option(
    default: Any,
    help: str,  # noqa: A002 - the word people look for
    *,
    unit: str = "",
    least: float | None = None,
    shown: str = "",
) -> Any:
    """A field of a group.

    :param unit: ``bytes`` (accepts ``64 MiB``) or ``seconds``.
    :param shown: the default as documents show it, where it depends on the machine.
    """
    return field(
        default=default, metadata={"help": help, "unit": unit, "least": least, "shown": shown}
    )


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """The queue."""

    url: str = option(
        "",
        "Redis or Valkey: redis://…, rediss://… or unix:///path. Empty: one is started, or "
        "found, in the state folder.",
    )
    key_file: Path | None = option(
        None,
        "File with the key that signs what is put into the queue. Absent: one is made in the "
        "state folder; workers on other hosts need the same.",
    )


@dataclass(frozen=True, kw_only=True)
class ForgeOptions:
    """The forge that holds the datasets."""

    kind: Literal["gitea", "folder"] = option(
        "gitea",
        "gitea: Gitea, Forgejo or the embedded forge. folder: bare repositories in a plain folder.",
    )
    url: str = option(
        "http://127.0.0.1:3000",
        "Address of the forge as this machine reaches it; for kind folder, the folder. "
        "Repositories are cloned from below it and from nowhere else.",
    )
    user: str = option("tea-runner", "The bot's user name on the forge.")
    token: SecretValue = option(
        SecretValue(),
        "The bot's token (scopes write:repository and read:user). Not allowed in the settings "
        "file: name a file with token_file.",
    )
    token_file: Path | None = option(None, "File that holds the bot's token.")
    ca_file: Path | None = option(
        None, "Certificates (PEM) to trust for the forge instead of the system's."
    )
    timeout: float = option(
        15.0, "How long an answer of the forge's API may take.", unit="seconds", least=0.1
    )
    max_fetch: int = option(
        16 * 1024 * MEBI,
        "Most bytes that one fetch from a repository may bring: its history and folders, not the "
        "content of files. A repository that sends more is refused.",
        unit="bytes",
        least=MEBI,
    )
    max_refs: int = option(
        50_000,
        "Most branches, results in progress included, that a repository may have. One with more is "
        "refused.",
        least=1,
    )


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The receiver and the pages."""

    host: str = option("127.0.0.1", "Address to listen on.")
    port: int = option(1706, "Port to listen on; 0 takes a free one.", least=0)
    processes: int = option(2, "Receiver processes.", least=1)
    url: str = option(
        "",
        "Address under which the forge and people reach the receiver: hooks and status links "
        "point there. Empty: http://host:port.",
    )
    max_body: int = option(
        64 * MEBI,
        "Largest delivery that is read. Pushes of very many files make deliveries of tens of "
        "megabytes.",
        unit="bytes",
        least=1024,
    )


@dataclass(frozen=True, kw_only=True)
class AnnexOptions:
    """Content of annexed files."""

    allowed_addresses: tuple[str, ...] = option(
        (), "Private addresses that git-annex may contact, such as that of your S3 store."
    )
    strict_hashes: bool = option(
        False, "Accept only keys with a cryptographically safe hash (not MD5 or SHA1)."
    )


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What a command of the host environment may do."""

    kind: Literal["bwrap", "off"] = option(
        "bwrap",
        "bwrap: commands run in bubblewrap, and are refused where it cannot be had. off: they "
        "run with all rights of the worker; only for pipelines that are all your own.",
    )
    user: str = option("nobody", "User that commands run as when the worker is root.")
    network: bool = option(False, "Whether a pipeline that asks for the network gets it.")
    path: str = option(
        "/usr/local/bin:/usr/bin:/bin", "PATH that commands see; each folder in it is readable."
    )
    binds: tuple[Path, ...] = option(
        (), "More folders that commands may read, such as a software tree."
    )
    memory: int = option(4096 * MEBI, "Memory of one job; 0 is no limit.", unit="bytes", least=0)
    processes: int = option(512, "Processes and threads of one job.", least=1)
    file_size: int = option(16384 * MEBI, "Largest file a job may write.", unit="bytes", least=1)
    output_files: int = option(100_000, "Most files a job may leave as results.", least=1)
    output_bytes: int = option(
        65536 * MEBI, "Most bytes a job may leave as results.", unit="bytes", least=1
    )


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Workers on this host."""

    count: int = option(2, "Jobs that run at once on this host.", least=1)
    lease: float = option(
        45.0,
        "A job whose worker is silent for so long is given to another.",
        unit="seconds",
        least=5,
    )
    grace: float = option(
        30.0, "How long running jobs may go on when the worker is stopped.", unit="seconds", least=0
    )
    crashes: int = option(
        3, "Workers that one job may kill before it is parked until somebody retries it.", least=1
    )
    free: int = option(
        256 * MEBI,
        "Free space of the scratch folder below which a worker takes no job.",
        unit="bytes",
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """The program's own log, and the log of each job."""

    format: Literal["text", "json"] = option(
        "text", "Format of the program's own log lines: text, or json with one object per line."
    )
    max_bytes: int = option(
        16 * MEBI, "Most bytes kept of one job's log; the middle is cut.", unit="bytes", least=4096
    )


@dataclass(frozen=True, kw_only=True)
class ReconcileOptions:
    """Comparing forge and results, in case a delivery was lost."""

    every: float = option(60.0, "Time between two comparisons.", unit="seconds", least=1)


@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """Commit statuses on the forge."""

    context: str = option("tea-runner", "Name under which statuses appear beside commits.")


@dataclass(frozen=True, kw_only=True)
class BotOptions:
    """Author of results commits."""

    name: str = option("tea-runner", "Name in results commits.")
    email: str = option("tea-runner@localhost", "Address in results commits.")
    signing_key: Path | None = option(
        None,
        "Ed25519 SSH key (without a passphrase) that signs results commits. Only planners need it.",
    )
    allowed_signers: Path | None = option(
        None,
        "Whose signatures tea-runner verify-commit accepts: a list as in ssh-keygen(1), ALLOWED "
        "SIGNERS.",
    )


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """One git-annex special remote that workers may use; ``origin`` is the forge itself.

    Without a uuid it is any remote of this name, type and options; with one it is that remote.
    *env* holds (variable, file) pairs: the file's content is given to git-annex in that variable.
    """

    name: str
    uuid: str = ""
    type: str = ""
    options: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SecretFile:
    """One secret that commands of the listed repositories may ask for.

    *file* holds it; a folder holds one file per key.
    """

    name: str
    file: Path
    repositories: tuple[str, ...]


EnvironmentKind = Literal["host", "docker", "podman", "apptainer"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that can be set."""

    state: Path = option(
        Path("~/.local/state/tea-runner"),
        "Folder of everything that is kept: hooks, logs, mirrors, the embedded queue.",
        shown="~/.local/state/tea-runner",
    )
    scratch: Path = option(
        Path("{state}/scratch"),
        "Folder where jobs work; needs room for the inputs and outputs of all jobs at once.",
        shown="<state>/scratch",
    )
    repositories: tuple[str, ...] = option(
        (),
        "Repositories to process, as owner/name patterns such as lab/* or */*. Empty: those that"
        " a hook was added for.",
    )
    branches: tuple[str, ...] = option(("*",), "Branches to process, as patterns.")
    trusted_branches: tuple[str, ...] = option(
        ("main", "master"),
        "Branches whose results every other branch may use; protect them on the forge.",
    )
    pull_requests: bool = option(
        False,
        "Whether `tea-runner pull approve` may have single commits of pull requests processed, "
        "forks among them: on branches pull/*, which are never trusted, get no secrets and no network, and "
        "are not processed while this is false. Never without approval.",
    )
    trusted_repositories: tuple[str, ...] = option(
        (),
        "Repositories of this forge, as owner/name patterns, whose results count in every repository "
        "that is processed here: those of their trusted branches. Empty: each repository knows its "
        "own alone.",
    )
    environments: tuple[EnvironmentKind, ...] = option(
        ("host",),
        "Kinds of environment that this host's workers offer: host, docker, podman, apptainer.",
    )
    storage: tuple[StorageOptions, ...] = option(
        (),
        "Special remotes that workers may use, one [[storage]] table each: name, uuid, type, "
        "options (a table), env (a table: variable = file with the secret). Nothing else is "
        "enabled. What the dataset says of one (host, bucket, url, rsyncurl, ...) must stand in options.",
    )
    secrets: tuple[SecretFile, ...] = option(
        (),
        "Secrets that pipelines may ask for with transform.secrets, one [[secrets]] table each: "
        "name, file (or a folder with a file per key), repositories (owner/name patterns). Given on "
        "trusted branches only.",
    )
    redis: RedisOptions = field(default_factory=RedisOptions)
    forge: ForgeOptions = field(default_factory=ForgeOptions)
    web: WebOptions = field(default_factory=WebOptions)
    annex: AnnexOptions = field(default_factory=AnnexOptions)
    sandbox: SandboxOptions = field(default_factory=SandboxOptions)
    worker: WorkerOptions = field(default_factory=WorkerOptions)
    log: LogOptions = field(default_factory=LogOptions)
    reconcile: ReconcileOptions = field(default_factory=ReconcileOptions)
    status: StatusOptions = field(default_factory=StatusOptions)
    bot: BotOptions = field(default_factory=BotOptions)
