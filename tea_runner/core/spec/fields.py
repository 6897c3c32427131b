"""Every field of a pipeline file: its type, its support, and what happens instead.

The parser, the JSON Schema and ``docs/reference/spec.md`` use this one table.  Names, types and
defaults are those of Pachyderm's ``CreatePipelineRequest`` (``src/pps/pps.proto``) and of its older
pipeline files; fields that tea-runner adds are marked as its own.
"""

from __future__ import annotations

from tea_runner.core.spec.field import Field, cluster, ignored, make, refused, renamed
from tea_runner.core.spec.input_fields import INPUT, OWNER

_KUBERNETES = "tea-runner does not use Kubernetes; workers are configured where they are started"


_ALLOWED = "more than the operator allows is refused"


def _resources(name: str, about: str, note: str, *, memory: str, cpu: str, disk: str) -> Field:
    return make(
        name,
        "mapping",
        about,
        make("cpu", "cpu", "processors, such as 0.5 or 500m", support="differs", note=cpu),
        make(
            "memory",
            "bytes",
            "bytes with a suffix, such as 512M or 2Gi",
            support="differs",
            note=memory,
        ),
        make("disk", "bytes", "scratch space, as memory", support="differs", note=disk),
        make(
            "gpu",
            "mapping",
            "graphics processors",
            make("type", "text", "such as nvidia.com/gpu", default="any"),
            make("number", "number", "how many; the command sees these and no others"),
        ),
        support="differs",
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
        "resource_requests",
        "resources that a datum needs",
        "a worker reserves them for a job; a job that requests nothing reserves nothing",
        cpu=_ALLOWED,
        memory=_ALLOWED,
        disk=_ALLOWED,
    ),
    _resources(
        "resource_limits",
        "resources that a datum may use",
        "what is not requested is reserved, too, as in Kubernetes",
        cpu=f"{_ALLOWED}; a limit where a control group can be made",
        memory=f"{_ALLOWED}; a command for which the requested memory is not enough runs again with twice "
        "as much, up to this limit",
        disk=f"{_ALLOWED}; a limit of /tmp, and of the results",
    ),
    make(
        "metadata",
        "mapping",
        "notes",
        cluster("annotations", "anything", "notes", "they stay in the file"),
        make(
            "labels",
            "named texts",
            "marks; `worker` requires a label of the worker",
            support="differs",
            note="all others stay in the file, as Kubernetes' labels of pods choose no machine",
        ),
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
    make(
        "scheduling_spec",
        "mapping",
        "which workers do the jobs",
        make(
            "node_selector",
            "named texts",
            "labels that the worker must have, each NAME=VALUE",
            support="differs",
            note="of a worker, not of a node of Kubernetes",
        ),
        make(
            "priority_class_name",
            "text",
            "a class of priority",
            support="differs",
            note="high, high-priority, urgent and critical stand for priority: 10, other names for none; "
            "priority itself counts more",
        ),
    ),
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
