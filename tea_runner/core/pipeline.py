"""Pipelines as values: what the parser makes of a pipeline file.

Field names are those of Pachyderm's pipeline specification where it has them.
Paths are text decoded with ``surrogateescape`` (as ``os.fsdecode`` does), relative to the dataset,
with ``/`` between parts and no leading or trailing ``/``; the dataset's root is the empty string.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

View = Literal["pfs", "dataset"]


@dataclass(frozen=True, kw_only=True, slots=True)
class InputTrigger:
    """When new files of an input start the pipeline; one condition is enough, or all are needed."""

    #: New commits, and bytes of new files; 0 for any number.
    commits: int = 0
    size: int = 0
    #: Schedules: when it starts, and how often at most.
    cron_spec: str = ""
    rate_limit_spec: str = ""
    all: bool = False
    #: Seconds for which the input has to be as it is.
    debounce: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pfs:
    """Files of one directory of the dataset, divided into entries by a glob."""

    #: The command sees the input as ``/pfs/<name>``.
    name: str
    #: A pipeline, a path in the dataset, or a subdataset.
    repo: str
    branch: str = "master"
    glob: str = "/"
    join_on: str = ""
    outer_join: bool = False
    group_by: str = ""
    #: Zero-byte placeholders: nothing is fetched; a link to one is an output with its content.
    empty_files: bool = False
    #: A push to the subdataset's own repository updates its pin.
    track: bool = False
    #: A change of only this input starts nothing.
    propagation_never: bool = False
    #: When a change of this input starts something; None for at once.
    trigger: InputTrigger | None = None

    #: Whether *repo* is written as a path, with ``./``, so that it is no pipeline's name.
    is_path: bool = False

    @property
    def place(self) -> str:
        """*repo* as a path in the dataset, empty for the root."""
        return "" if self.repo in (".", "/") else self.repo.strip("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A schedule: each of its ticks is a file, named by its time, of an input without a folder."""

    name: str
    #: Five fields of cron(5), a name such as ``@daily``, or ``@every`` and a duration.
    spec: str
    repo: str = ""
    #: Time (RFC 3339) after which the first tick comes; empty for the time of the first plan.
    start: str = ""
    #: Only the newest tick is an input.
    overwrite: bool = False
    #: Ticks that passed while nothing was planned: the newest one, or all.
    catch_up: Literal["once", "all"] = "once"
    #: The ticks that there are, in order.  None until they are known, before keys are made.
    ticks: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """Combined inputs: a cross product, a union, a join, or groups (by ``join_on``, ``group_by``)."""

    kind: Literal["cross", "union", "join", "group"]
    inputs: tuple[Input, ...]


Input = Pfs | Cron | Combined


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A variable of a pipeline: the command has it in its environment, and a person can set it."""

    name: str
    type: Literal["string", "integer", "number", "boolean", "choice"] = "string"
    #: Its value where nobody has set another, in the form that keys have.
    default: str = ""
    #: The values of a choice.
    options: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretReference:
    """A secret that the worker's operator provides; never in keys or records."""

    name: str
    key: str = ""
    mount_path: str = ""
    env_var: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a command may use; memory and disk in bytes, None without a limit."""

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    gpu_type: str = ""
    gpu_number: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """The command and everything that it can observe besides its inputs."""

    cmd: tuple[str, ...]
    stdin: tuple[str, ...] = ()
    err_cmd: tuple[str, ...] = ()
    err_stdin: tuple[str, ...] = ()
    accept_return_code: tuple[int, ...] = ()
    #: Sorted by name.
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    #: The name of an image or of a datalad-container, or empty for the host's sandbox.  Before keys are
    #: made, a name without a digest is replaced by one with the digest that it has just then.
    image: str = ""
    #: The image's name in the pipeline file, if it was replaced.
    image_tag: str = ""
    #: Without an image: identity of the software that the command sees, which may be empty.  None until it
    #: is known, before keys are made.
    software: str | None = None
    #: Globs of the dataset's files that the command sees besides its inputs, and after ``!`` of those that
    #: are left out; None is the default.
    code: tuple[str, ...] | None = None
    secrets: tuple[SecretReference, ...] = ()
    network: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """One pipeline."""

    name: str
    #: Directory of the results.
    home: str
    #: Path, git blob id and document number (from 0) of the pipeline file.
    spec_path: str
    spec_blob: str = ""
    spec_document: int = 0
    spec_line: int = 1
    description: str = ""
    transform: Transform
    input: Input
    view: View = "pfs"
    #: ``view: dataset`` only: templates of the declared outputs.
    outputs: tuple[str, ...] = ()
    #: Template of the directory of a datum's outputs; None when the command chooses the paths.
    output_path: str | None = None
    on_failure: Literal["fail", "publish"] = "fail"
    datum_tries: int = 3
    #: Seconds; None without a limit of the pipeline.
    datum_timeout: float | None = None
    job_timeout: float | None = None
    datum_set_number: int | None = None
    datum_set_bytes: int | None = None
    #: Most jobs of the pipeline at once.
    parallelism: int | None = None
    #: Whether the triggers of all inputs that have one are needed; else one is enough.
    needs_all_triggers: bool = False
    #: Its jobs go to that part of the way to the end of their repository's line, with 4 to a quarter.
    priority: int = 1
    reprocess: Literal["until_success", "every_job"] = "until_success"
    salt: str = ""
    #: Branch of the results; empty for the pushed branch.
    output_branch: str = ""
    requests: Resources = Resources()
    limits: Resources = Resources()
    #: Labels that its worker must have, sorted.
    worker_labels: tuple[str, ...] = ()
    #: Variables that a person can set.
    variables: tuple[Variable, ...] = ()
    #: The values that a person has set, sorted by name; all values are in the transform's ``env`` then.
    #: None until they are known, before keys are made.
    given: tuple[tuple[str, str], ...] | None = None


def leaves(node: Input) -> tuple[Pfs | Cron, ...]:
    """The inputs without children, in the order of the file."""
    if isinstance(node, Combined):
        return tuple(leaf for child in node.inputs for leaf in leaves(child))
    return (node,)


def cron_leaves(node: Input) -> tuple[Cron, ...]:
    """The schedules, in the order of the file."""
    return tuple(leaf for leaf in leaves(node) if isinstance(leaf, Cron))


def numbered_leaves(node: Input) -> tuple[Pfs | Cron, ...]:
    """All inputs by their number in datums: the pfs inputs come before the schedules."""
    return (*pfs_leaves(node), *cron_leaves(node))


def empty_inputs(node: Input) -> frozenset[int]:
    """Numbers of the inputs with ``empty_files``."""
    return frozenset(n for n, leaf in enumerate(pfs_leaves(node)) if leaf.empty_files)


def pfs_leaves(node: Input) -> tuple[Pfs, ...]:
    """The pfs inputs, in the order of the file."""
    if isinstance(node, Pfs):
        return (node,)
    return tuple(leaf for leaf in leaves(node) if isinstance(leaf, Pfs))
