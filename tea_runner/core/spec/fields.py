"""Every field of a pipeline file: its type, its standing here, and what happens instead.

One table, read by the parser, by the JSON Schema and by ``docs/reference/spec.md``.  Names, types
and defaults are those of Pachyderm's ``CreatePipelineRequest`` (``src/pps/pps.proto``) and of its older
pipeline files; what tea-runner adds is marked as its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: What is written in the file: text, a list of text, a mapping of names to text, …; ``inputs`` is a
#: list of inputs, ``anything`` is not looked into.
Shape = Literal[
    "text",
    "texts",
    "named texts",
    "number",
    "numbers",
    "cpu",
    "boolean",
    "duration",
    "bytes",
    "mapping",
    "mappings",
    "inputs",
    "anything",
]

#: works: as in Pachyderm; differs: works, and *note* says how its meaning differs; ignored:
#: accepted with a warning, and *note* says what happens instead; refused: an error; renamed: an old
#: name that is read as the field *note* names.
Support = Literal["works", "differs", "ignored", "refused", "renamed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field: how it is written, and what becomes of it."""

    name: str
    shape: Shape
    about: str
    support: Support = "works"
    note: str = ""
    fields: tuple[Field, ...] = ()
    choices: tuple[str, ...] = ()
    #: Written out for people; an empty text where there is none.
    default: str = ""
    required: bool = False
    #: Not in Pachyderm.
    ours: bool = False

    @property
    def camel(self) -> str:
        """The same name as Pachyderm's JSON spells it."""
        return re.sub(r"_([a-z])", lambda found: found[1].upper(), self.name)


def _f(name: str, shape: Shape, about: str, *fields: Field, **more: object) -> Field:
    return Field(name=name, shape=shape, about=about, fields=fields, **more)  # type: ignore[arg-type]


def _ignored(name: str, shape: Shape, about: str, note: str) -> Field:
    return Field(name=name, shape=shape, about=about, support="ignored", note=note)


def _refused(name: str, shape: Shape, about: str, note: str) -> Field:
    return Field(name=name, shape=shape, about=about, support="refused", note=note)


def _renamed(name: str, shape: Shape, note: str) -> Field:
    return Field(name=name, shape=shape, about="an older name", support="renamed", note=note)


_OWNER = "repositories belong to their owner on the forge"
_KUBERNETES = "there is no Kubernetes here; workers are configured where they are started"


#: What becomes of resources that no environment of ours can promise.
_UNRESERVED = (
    "kept in the record of the run; nothing is reserved, workers are sized by their operator"
)


def _resources(
    name: str, about: str, note: str = "", *, support: Support = "works", memory: str = ""
) -> Field:
    return _f(
        name,
        "mapping",
        about,
        _ignored("cpu", "cpu", "processors, such as 0.5 or 500m", _UNRESERVED),
        _f(
            "memory",
            "bytes",
            "bytes with a suffix, such as 512M or 2Gi",
            support=support,
            note=memory,
        ),
        _ignored("disk", "bytes", "scratch space, as memory", _UNRESERVED),
        _f(
            "gpu",
            "mapping",
            "graphics processors",
            _ignored("type", "text", "such as nvidia.com/gpu", _UNRESERVED),
            _ignored("number", "number", "how many", _UNRESERVED),
        ),
        support="differs" if note else "works",
        note=note,
    )


PFS = _f(
    "pfs",
    "mapping",
    "files of one place in the dataset, cut into datums by a glob",
    _f(
        "repo",
        "text",
        "where the files are",
        required=True,
        support="differs",
        note="a pipeline's name, or a path in this dataset (. is all of it)",
    ),
    _f(
        "name",
        "text",
        "how the command sees it: /pfs/<name> and $<name>",
        default="last part of repo",
    ),
    _f("glob", "text", "which files and directories are a datum each", required=True),
    _f(
        "branch",
        "text",
        "branch of the repo",
        default="master",
        support="differs",
        note="files are read from the commit that was pushed, on whatever branch",
    ),
    _f("join_on", "text", "template over the glob's captures; equal values are joined"),
    _f("outer_join", "boolean", "keep what finds no partner", default="false"),
    _f("group_by", "text", "template over the glob's captures; equal values are grouped"),
    _f(
        "empty_files", "boolean", "names only: zero-byte files, nothing is fetched", default="false"
    ),
    _f(
        "track",
        "boolean",
        "move this subdataset's pin when its own repository is pushed",
        ours=True,
        default="false",
    ),
    _f(
        "propagation_spec",
        "mapping",
        "what a change of this input starts",
        _f("never", "boolean", "a change of this input alone starts nothing", default="false"),
    ),
    _ignored("project", "text", "project of the repo", _OWNER),
    _ignored("repo_type", "text", "kind of repo", "files are read"),
    _ignored(
        "lazy",
        "boolean",
        "fetch a file when it is opened",
        "the file is there before the command starts",
    ),
    _ignored("trigger", "anything", "when a change counts", "every push counts"),
    _ignored(
        "reference",
        "boolean",
        "leave the content out of the key",
        "the content is in the key, so a change computes again",
    ),
    _refused(
        "commit",
        "text",
        "a fixed commit",
        "inputs are read from the commit that was pushed; pin a subdataset instead",
    ),
    _refused(
        "s3",
        "boolean",
        "give the files by an S3 gateway",
        "there is no gateway; read the files below /pfs",
    ),
)

CRON = _f(
    "cron",
    "mapping",
    "a clock",
    _f("name", "text", "name of the input", required=True),
    _f("spec", "text", "when it ticks, such as '@every 1h'", required=True),
    _f("repo", "text", "where ticks are kept"),
    _f("start", "text", "first tick"),
    _f("overwrite", "boolean", "keep the newest tick only", default="false"),
    _ignored("project", "text", "project of the repo", _OWNER),
    _refused("commit", "text", "a fixed commit", "leave it out"),
    support="ignored",
    note="cron inputs are not run yet: the input makes no datums",
)

INPUT = (
    PFS,
    _f("cross", "inputs", "every combination of the inputs' datums"),
    _f("union", "inputs", "all datums of all inputs"),
    _f("join", "inputs", "combinations of files whose join_on is equal"),
    _f("group", "inputs", "one datum for all files whose group_by is equal"),
    CRON,
    _renamed("atom", "mapping", "pfs"),
    _refused(
        "git", "mapping", "a repository on GitHub", "add it as a subdataset and read it with pfs"
    ),
)

TRANSFORM = _f(
    "transform",
    "mapping",
    "the command, and what it can see besides its inputs",
    _f("cmd", "texts", "the command, word by word; no shell", required=True),
    _f("stdin", "texts", "lines for the command's standard input"),
    _f(
        "err_cmd",
        "texts",
        "run when cmd fails; when it succeeds, the datum counts as recovered",
        support="differs",
        note="a recovered datum is tried again when its key changes, not with each push",
    ),
    _f("err_stdin", "texts", "lines for err_cmd's standard input"),
    _f("accept_return_code", "numbers", "codes besides 0 that are success"),
    _f("env", "named texts", "environment variables"),
    _f("working_dir", "text", "directory in which the command starts"),
    _ignored(
        "user",
        "text",
        "user inside the container",
        "commands run as an unprivileged user of the environment's own",
    ),
    _f(
        "image",
        "text",
        "the container",
        default="none: the host's sandbox",
        support="differs",
        note="name@sha256:… or the name of a datalad-container; a tag may change its meaning",
    ),
    _f(
        "code",
        "texts",
        "globs of the dataset's files that the command may see besides its inputs",
        ours=True,
        default="code/ and the files beside spec.yml that are not results",
    ),
    _f(
        "network",
        "boolean",
        "whether the command may use the network; the operator must agree",
        ours=True,
        default="false",
    ),
    _f(
        "secrets",
        "mappings",
        "values that the operator keeps on the worker",
        _f("name", "text", "name of the secret", required=True),
        _f("key", "text", "part of the secret that env_var gets"),
        _f("mount_path", "text", "where it appears as a file"),
        _f("env_var", "text", "variable that holds it"),
        support="differs",
        note="kept by the worker's operator, not by Kubernetes",
    ),
    _ignored(
        "image_pull_secrets",
        "texts",
        "credentials for the registry",
        "the worker's own login is used",
    ),
    _ignored("debug", "boolean", "more logging", "logs are always complete"),
    _ignored("dockerfile", "text", "where the image came from", "it is not read"),
    _ignored(
        "memory_volume", "boolean", "/pfs in memory", "the worker's scratch directory is used"
    ),
    _refused(
        "datum_batching",
        "boolean",
        "one process for many datums",
        "let the command handle one datum and use datum_set_spec for many small ones",
    ),
    required=True,
)

TOP = (
    _f(
        "pipeline",
        "mapping",
        "who it is",
        _f("name", "text", "up to 63 of A-Z a-z 0-9 _ -", required=True),
        _f("project", "anything", "project of the pipeline", support="ignored", note=_OWNER),
        required=True,
    ),
    _f("description", "text", "for people"),
    _f("input", "mapping", "what it reads", *INPUT, required=True),
    TRANSFORM,
    _f(
        "view",
        "text",
        "what the command sees: /pfs as in Pachyderm, or the dataset's own paths",
        choices=("pfs", "dataset"),
        default="pfs",
        ours=True,
    ),
    _f(
        "outputs",
        "texts",
        "view: dataset: what the command writes, templates over the captures",
        ours=True,
    ),
    _f(
        "output",
        "mapping",
        "where the system puts a datum's outputs",
        _f(
            "path",
            "text",
            "template over the captures; names are then hidden and not in the key",
            ours=True,
        ),
        ours=True,
    ),
    _f(
        "on_failure",
        "text",
        "whether one failed datum keeps the others from being published",
        choices=("fail", "publish"),
        default="fail",
        ours=True,
    ),
    _f("datum_tries", "number", "how often a datum is tried", default="3"),
    _f("datum_timeout", "duration", "time for one datum, such as 90s or 1h30m"),
    _f(
        "job_timeout",
        "duration",
        "time for one job: all tries of all datums that a worker took",
        support="differs",
        note="counted from when a worker begins a set of datums, not for all datums of a push",
    ),
    _f(
        "datum_set_spec",
        "mapping",
        "how many datums a worker takes at once",
        _f("number", "number", "datums in a set"),
        _f("size_bytes", "number", "bytes of input in a set"),
        _ignored("per_worker", "number", "sets for each worker", "sets are made by their size"),
    ),
    _f(
        "parallelism_spec",
        "mapping",
        "how much at once",
        _f(
            "constant",
            "number",
            "at most so many jobs of this pipeline at once",
            support="differs",
            note="a cap for each branch: workers are started by their operator",
        ),
        _ignored(
            "coefficient",
            "cpu",
            "share of the cluster's nodes",
            "as many jobs run as there are workers",
        ),
    ),
    _f(
        "reprocess_spec",
        "text",
        "whether results are reused",
        choices=("until_success", "every_job"),
        default="until_success",
    ),
    _f("salt", "text", "changes all keys, so that everything is computed again"),
    _ignored(
        "output_branch", "text", "where the results go", "results go to the branch that was pushed"
    ),
    _resources("resource_requests", "what a datum needs", support="ignored", memory=_UNRESERVED),
    _resources(
        "resource_limits",
        "what a datum may use",
        support="differs",
        memory="the operator's limit counts where it is lower",
    ),
    _f(
        "metadata",
        "mapping",
        "notes",
        _ignored("annotations", "anything", "notes", "they stay in the file"),
        _ignored("labels", "anything", "marks", "they stay in the file"),
    ),
    _ignored(
        "autoscaling",
        "boolean",
        "stop workers that have nothing to do",
        "workers are started by their operator",
    ),
    _ignored(
        "egress",
        "anything",
        "copy results elsewhere",
        "results are pushed to the dataset's own siblings only",
    ),
    _ignored("determined", "anything", "Determined workspaces", "it is not used"),
    _ignored("pod_spec", "anything", "Kubernetes", _KUBERNETES),
    _ignored("pod_patch", "anything", "Kubernetes", _KUBERNETES),
    _ignored("scheduling_spec", "anything", "Kubernetes", _KUBERNETES),
    _ignored("tolerations", "anything", "Kubernetes", _KUBERNETES),
    _ignored("sidecar_resource_requests", "anything", "Kubernetes", _KUBERNETES),
    _ignored("sidecar_resource_limits", "anything", "Kubernetes", _KUBERNETES),
    _ignored("maximum_expected_uptime", "anything", "an alert", "there is no such alert"),
    _ignored("update", "boolean", "replace the pipeline", "git does: the file is what counts"),
    _ignored("reprocess", "boolean", "compute everything again", "change salt for that"),
    _ignored("dry_run", "boolean", "check only", "tea-runner plan does that"),
    _ignored("spec_commit", "anything", "commit of the specification", "git knows it"),
    _refused("s3_out", "boolean", "write by an S3 gateway", "write the files below /pfs/out"),
    _refused(
        "service", "anything", "a server that keeps running", "tea-runner runs commands that end"
    ),
    _refused(
        "spout",
        "anything",
        "a source that keeps running",
        "tea-runner runs commands that end; push the data with git instead",
    ),
    _refused("tf_job", "anything", "a Kubeflow job", "write transform.cmd"),
    _renamed("chunk_spec", "mapping", "datum_set_spec"),
    _ignored(
        "standby",
        "boolean",
        "an older name of autoscaling",
        "workers are started by their operator",
    ),
    _ignored("enable_stats", "boolean", "keep statistics", "they are always kept"),
    _ignored("batch", "boolean", "an older flag", "it is not used"),
    _ignored("hashtree_spec", "anything", "an older setting", "it is not used"),
    _ignored("cache_size", "text", "an older setting", "it is not used"),
    _ignored("max_queue_size", "number", "an older setting", "it is not used"),
    _ignored("scale_down_threshold", "anything", "an older setting", "it is not used"),
)

#: Fields of older Pachyderm versions, which are deprecated there.
OLD = frozenset(
    {
        "pod_spec",
        "standby",
        "enable_stats",
        "batch",
        "hashtree_spec",
        "cache_size",
        "max_queue_size",
        "scale_down_threshold",
        "parallelism_spec.coefficient",
    }
)
