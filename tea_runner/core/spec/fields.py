"""Every field of a pipeline file: its type, its support, and what happens instead.

The parser, the JSON Schema and ``docs/reference/spec.md`` use this one table.  Names, types and
defaults are those of Pachyderm's ``CreatePipelineRequest`` (``src/pps/pps.proto``) and of its older
pipeline files; fields that tea-runner adds are marked as its own.
"""

from __future__ import annotations

from tea_runner.core.spec.field import Field, Support, cluster, ignored, make, refused, renamed
from tea_runner.core.spec.input_fields import INPUT, OWNER

_KUBERNETES = "tea-runner does not use Kubernetes; workers are configured where they are started"


#: Note of resources that no environment can reserve.
_UNRESERVED = (
    "more than the operator allows is refused, but nothing is reserved; the operator chooses the size "
    "of workers"
)


def _resources(
    name: str, about: str, note: str = "", *, support: Support = "works", memory: str = ""
) -> Field:
    return make(
        name,
        "mapping",
        about,
        cluster("cpu", "cpu", "processors, such as 0.5 or 500m", _UNRESERVED, compared=True),
        make(
            "memory",
            "bytes",
            "bytes with a suffix, such as 512M or 2Gi",
            support=support,
            note=memory,
            compared=True,
            cluster=support == "ignored",
        ),
        cluster("disk", "bytes", "scratch space, as memory", _UNRESERVED, compared=True),
        make(
            "gpu",
            "mapping",
            "graphics processors",
            ignored("type", "text", "such as nvidia.com/gpu", _UNRESERVED),
            ignored("number", "number", "how many", _UNRESERVED, compared=True),
        ),
        support="differs" if note else "works",
        note=note,
    )


TRANSFORM = make(
    "transform",
    "mapping",
    "the command, and what it sees besides its inputs",
    make(
        "cmd",
        "texts",
        "the command as a list of words, without a shell",
        default="the image's own, if there is an image",
    ),
    make("stdin", "texts", "lines for the command's standard input"),
    make(
        "err_cmd",
        "texts",
        "runs when cmd fails; if it succeeds, the datum is recovered",
        support="differs",
        note="a recovered datum is tried again when its key changes, not with each push",
    ),
    make("err_stdin", "texts", "lines for err_cmd's standard input"),
    make("accept_return_code", "numbers", "exit codes besides 0 that mean success"),
    make("env", "named texts", "environment variables"),
    make("working_dir", "text", "directory in which the command starts"),
    ignored(
        "user",
        "text",
        "user inside the container",
        "commands run as an unprivileged user that the environment chooses",
    ),
    make(
        "image",
        "text",
        "the container",
        default="none: the host's sandbox",
        support="differs",
        note="a datalad-container (PATH/NAME in a subdataset), a name of the operator's, or name:tag, whose "
        "digest is found when the commit is planned",
    ),
    make(
        "code",
        "texts",
        "globs of the dataset's files that the command sees besides its inputs; `!GLOB` leaves files out",
        ours=True,
        default="code/ and the files beside spec.yml that are not results, without documentation that "
        "the command does not name",
    ),
    make(
        "network",
        "boolean",
        "whether the command may use the network; the operator must allow it",
        ours=True,
        default="false",
    ),
    make(
        "secrets",
        "mappings",
        "secrets that the worker's operator provides",
        make("name", "text", "name of the secret", required=True),
        make("key", "text", "part of the secret for env_var"),
        make("mount_path", "text", "path of a file with the secret"),
        make("env_var", "text", "environment variable with the secret"),
        support="differs",
        note="provided by the worker's operator, not by Kubernetes",
    ),
    cluster(
        "image_pull_secrets",
        "texts",
        "credentials for the registry",
        "the worker's own login is used",
    ),
    cluster("debug", "boolean", "more logging", "logs are always complete"),
    cluster("dockerfile", "text", "source of the image", "it is not read"),
    cluster(
        "overwrite",
        "boolean",
        "an older setting: replace files of former runs",
        "the outputs of a datum always replace its former ones",
    ),
    cluster("memory_volume", "boolean", "/pfs in memory", "the worker's scratch directory is used"),
    refused(
        "build",
        "anything",
        "build an image from source, in Pachyderm 1.x",
        "build the image, and name it in transform.image",
    ),
    refused(
        "datum_batching",
        "boolean",
        "one process for many datums",
        "let the command handle one datum and use datum_set_spec for many small ones",
    ),
    required=True,
)

TOP = (
    make("$schema", "text", "address of a JSON Schema, for editors"),
    make(
        "pipeline",
        "mapping",
        "identity of the pipeline",
        make("name", "text", "up to 63 of A-Z a-z 0-9 _ -", required=True),
        cluster("project", "anything", "project of the pipeline", OWNER),
        required=True,
    ),
    make("description", "text", "for people"),
    make("input", "mapping", "the input", *INPUT, required=True),
    TRANSFORM,
    make(
        "view",
        "text",
        "the command's view: /pfs as in Pachyderm, or the dataset's own paths",
        choices=("pfs", "dataset"),
        default="pfs",
        ours=True,
    ),
    make(
        "outputs",
        "texts",
        "view: dataset: paths below the home that the command writes, templates of the captures",
        ours=True,
    ),
    make(
        "output",
        "mapping",
        "directory of a datum's outputs",
        make(
            "path",
            "text",
            "template of the captures; the inputs' names are then hidden and not in the key",
            ours=True,
        ),
        ours=True,
    ),
    make(
        "on_failure",
        "text",
        "whether a failed datum prevents the publication of the others",
        choices=("fail", "publish"),
        default="fail",
        ours=True,
    ),
    make("datum_tries", "number", "most tries of a datum", default="3"),
    make("datum_timeout", "duration", "time limit of one datum, such as 90s or 1h30m"),
    make(
        "job_timeout",
        "duration",
        "time limit of one job, with all tries of its datums",
        support="differs",
        note="counts from the start of a set of datums on a worker, not for all datums of a push",
    ),
    make(
        "datum_set_spec",
        "mapping",
        "number of datums in a job",
        make("number", "number", "datums in a set"),
        make("size_bytes", "number", "bytes of input in a set"),
        cluster(
            "per_worker",
            "number",
            "sets for each worker",
            "the size of sets is chosen automatically",
        ),
    ),
    make(
        "parallelism_spec",
        "mapping",
        "parallelism",
        make(
            "constant",
            "number",
            "most jobs of this pipeline at once",
            support="differs",
            note="a limit for each branch; workers are started by their operator",
        ),
        cluster(
            "strategy",
            "text",
            "an older field",
            "as many jobs run as constant and the workers allow",
        ),
        cluster(
            "coefficient",
            "cpu",
            "share of the cluster's nodes",
            "as many jobs run as there are workers",
        ),
    ),
    make(
        "triggers",
        "text",
        "of several inputs with a trigger: whether one that fires is enough, or all have to",
        choices=("any", "all"),
        default="any",
        ours=True,
    ),
    make(
        "priority",
        "number",
        "from 1 to 100: jobs go to that part of the way to the end of their repository's line, with 4 to a "
        "quarter; not in the key, and without effect on branches that are not trusted",
        default="1",
        ours=True,
    ),
    make(
        "reprocess_spec",
        "text",
        "whether known results are reused",
        choices=("until_success", "every_job"),
        default="until_success",
    ),
    make("salt", "text", "changes all keys, so that everything is recomputed"),
    make(
        "vars",
        "mappings",
        "variables that a person can set when starting the pipeline (tea-runner trigger); the command has "
        "them in its environment, and they are in the key",
        make("name", "text", "name of the variable", required=True),
        make(
            "type",
            "text",
            "what its values are",
            choices=("string", "integer", "number", "boolean", "choice"),
            default="string",
        ),
        make("default", "value", "its value where nobody has set another", required=True),
        make("options", "texts", "the values of a choice"),
        make("description", "text", "for people"),
        ours=True,
    ),
    make(
        "output_branch",
        "text",
        "branch that has the results, instead of the pushed one",
        support="differs",
        note="all pipelines name the same branch; master and main stand for the pushed branch",
    ),
    _resources(
        "resource_requests", "resources that a datum needs", support="ignored", memory=_UNRESERVED
    ),
    _resources(
        "resource_limits",
        "resources that a datum may use",
        support="differs",
        memory="more than the operator allows is refused; less is a limit of its own",
    ),
    make(
        "metadata",
        "mapping",
        "notes",
        cluster("annotations", "anything", "notes", "they stay in the file"),
        cluster("labels", "anything", "marks", "they stay in the file"),
    ),
    cluster(
        "autoscaling",
        "boolean",
        "stop idle workers",
        "workers are started by their operator",
    ),
    ignored(
        "egress",
        "anything",
        "copy results elsewhere",
        "results are pushed only to the dataset's own siblings",
    ),
    ignored("determined", "anything", "Determined workspaces", "it is not used"),
    cluster("pod_spec", "anything", "Kubernetes", _KUBERNETES),
    cluster("pod_patch", "anything", "Kubernetes", _KUBERNETES),
    cluster("scheduling_spec", "anything", "Kubernetes", _KUBERNETES),
    cluster("tolerations", "anything", "Kubernetes", _KUBERNETES),
    cluster("sidecar_resource_requests", "anything", "Kubernetes", _KUBERNETES),
    cluster("sidecar_resource_limits", "anything", "Kubernetes", _KUBERNETES),
    cluster("maximum_expected_uptime", "anything", "an alert", "there is no such alert"),
    cluster("update", "boolean", "replace the pipeline", "the file in git is always current"),
    ignored("reprocess", "boolean", "compute everything again", "change salt instead"),
    ignored("dry_run", "boolean", "check only", "use tea-runner plan"),
    cluster(
        "spec_commit", "anything", "commit of the specification", "it is the file's commit in git"
    ),
    refused("s3_out", "boolean", "write by an S3 gateway", "write the files below /pfs/out"),
    refused(
        "service", "anything", "a server that keeps running", "tea-runner runs commands that end"
    ),
    refused(
        "spout",
        "anything",
        "a source that keeps running",
        "tea-runner runs commands that end; push the data with git instead",
    ),
    refused("tf_job", "anything", "a Kubeflow job", "write transform.cmd"),
    renamed("chunk_spec", "mapping", "datum_set_spec"),
    cluster(
        "standby",
        "boolean",
        "an older name of autoscaling",
        "workers are started by their operator",
    ),
    cluster("enable_stats", "boolean", "keep statistics", "they are always kept"),
    cluster("batch", "boolean", "an older flag", "it is not used"),
    cluster("hashtree_spec", "anything", "an older setting", "it is not used"),
    cluster("cache_size", "text", "an older setting", "it is not used"),
    cluster("max_queue_size", "number", "an older setting", "it is not used"),
    cluster("scale_down_threshold", "anything", "an older setting", "it is not used"),
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
        "parallelism_spec.strategy",
    }
)
