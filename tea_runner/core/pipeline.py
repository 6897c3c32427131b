"""The meaning of one pipeline, as values: what a pipeline file says once it has been understood.

Field names are those of Pachyderm's pipeline specification where it has them.
Paths are text decoded with ``surrogateescape`` (as ``os.fsdecode`` does), relative to the dataset,
with ``/`` between parts and no leading or trailing ``/``; the dataset's root is the empty text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

View = Literal["pfs", "dataset"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pfs:
    """Files of one place in the dataset, cut into entries by a glob."""

    #: How the command sees it: ``/pfs/<name>``.
    name: str
    #: A pipeline, a path in the dataset, a subdataset, or a repository linked as one.
    repo: str
    branch: str = "master"
    glob: str = "/"
    join_on: str = ""
    outer_join: bool = False
    group_by: str = ""
    #: Names only: zero-byte stand-ins, nothing is fetched and no content is in the key.
    empty_files: bool = False
    #: A push to the upstream repository moves the pin of this subdataset.
    track: bool = False
    #: A change of this input alone starts nothing.
    propagation_never: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A clock; parsed and explained, not yet run."""

    name: str
    spec: str
    repo: str = ""
    start: str = ""
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """Inputs put together: every pair, all, those with equal keys, or sets with equal keys."""

    kind: Literal["cross", "union", "join", "group"]
    inputs: tuple[Input, ...]


Input = Pfs | Cron | Combined


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretReference:
    """A value that the operator gives to commands on the worker; never in keys or records."""

    name: str
    key: str = ""
    mount_path: str = ""
    env_var: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a command may use; None where nothing was said. Memory and disk in bytes."""

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    gpu_type: str = ""
    gpu_number: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """The command and all that it can observe besides its inputs."""

    cmd: tuple[str, ...]
    stdin: tuple[str, ...] = ()
    err_cmd: tuple[str, ...] = ()
    err_stdin: tuple[str, ...] = ()
    accept_return_code: tuple[int, ...] = ()
    #: Sorted by name.
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    #: A registry image pinned by digest, a datalad-container name, or empty for the host.
    image: str = ""
    #: Globs over the dataset of the files that the command may see; None is the default.
    code: tuple[str, ...] | None = None
    secrets: tuple[SecretReference, ...] = ()
    network: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """One pipeline: its inputs, its command, its manners."""

    name: str
    #: Directory below which the results are written.
    home: str
    #: Path, git blob id and document number (from 0) of the file that says so.
    spec_path: str
    spec_blob: str = ""
    spec_document: int = 0
    spec_line: int = 1
    description: str = ""
    transform: Transform
    input: Input
    view: View = "pfs"
    #: ``view: dataset`` only: declared outputs, templates over the captures.
    outputs: tuple[str, ...] = ()
    #: Where the system places a datum's outputs, a template; None leaves names to the command.
    output_path: str | None = None
    on_failure: Literal["fail", "publish"] = "fail"
    datum_tries: int = 3
    #: Seconds; None is no limit of the pipeline's own.
    datum_timeout: float | None = None
    job_timeout: float | None = None
    datum_set_number: int | None = None
    datum_set_bytes: int | None = None
    #: At most this many jobs of the pipeline at once.
    parallelism: int | None = None
    reprocess: Literal["until_success", "every_job"] = "until_success"
    salt: str = ""
    #: Where the results go: empty is the pushed branch.
    output_branch: str = ""
    requests: Resources = Resources()
    limits: Resources = Resources()


def leaves(node: Input) -> tuple[Pfs | Cron, ...]:
    """The inputs that name a place, in the order in which the file names them."""
    if isinstance(node, Combined):
        return tuple(leaf for child in node.inputs for leaf in leaves(child))
    return (node,)


def pfs_leaves(node: Input) -> tuple[Pfs, ...]:
    """As :func:`leaves`, without clocks."""
    if isinstance(node, Pfs):
        return (node,)
    return tuple(leaf for leaf in leaves(node) if isinstance(leaf, Pfs))
