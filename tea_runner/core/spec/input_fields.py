"""Fields of inputs: ``pfs``, ``cross``, ``union``, ``join``, ``group`` and ``cron``."""

from __future__ import annotations

from tea_runner.core.spec.field import cluster, ignored, make, refused, renamed

OWNER = "repositories belong to their owner on the forge"

PFS = make(
    "pfs",
    "mapping",
    "files of one directory of the dataset, divided into datums by a glob",
    make(
        "repo",
        "text",
        "where the files are",
        required=True,
        support="differs",
        note="a pipeline's name, or a path in this dataset (. for the whole dataset); ./NAME is "
        "always the path, and a name that is both is refused",
    ),
    make(
        "name",
        "text",
        "name of the input; the command sees /pfs/<name> and $<name>",
        default="last part of repo",
    ),
    make("glob", "text", "selects files and directories; each match is a datum", required=True),
    make(
        "branch",
        "text",
        "branch of the repo",
        default="master",
        support="differs",
        note="files are read from the pushed commit, whatever its branch",
    ),
    make(
        "join_on", "text", "template of the glob's captures; entries with equal values are joined"
    ),
    make("outer_join", "boolean", "keep entries without a partner", default="false"),
    make(
        "group_by", "text", "template of the glob's captures; entries with equal values are grouped"
    ),
    make(
        "empty_files",
        "boolean",
        "zero-byte files: nothing is fetched; an output that links to one is the file itself",
        default="false",
    ),
    make(
        "track",
        "boolean",
        "update this subdataset's pin when its own repository is pushed",
        ours=True,
        default="false",
    ),
    make(
        "propagation_spec",
        "mapping",
        "effects of a change of this input",
        make("never", "boolean", "a change of only this input starts nothing", default="false"),
    ),
    cluster("project", "text", "project of the repo", OWNER),
    ignored("repo_type", "text", "kind of repo", "only files are read"),
    cluster(
        "lazy",
        "boolean",
        "fetch a file when it is opened",
        "all files are fetched before the command starts",
    ),
    ignored("trigger", "anything", "when a change starts a job", "every push starts a plan"),
    ignored(
        "reference",
        "boolean",
        "leave the content out of the key",
        "the content is in the key, so a change is recomputed",
    ),
    refused(
        "commit",
        "text",
        "a fixed commit",
        "inputs are read from the pushed commit; pin a subdataset instead",
    ),
    refused(
        "s3",
        "boolean",
        "provide the files through an S3 gateway",
        "there is no gateway; read the files below /pfs",
    ),
)

CRON = make(
    "cron",
    "mapping",
    "a schedule",
    make("name", "text", "name of the input", required=True),
    make("spec", "text", "times, such as '@every 1h'", required=True),
    make("repo", "text", "repo of the ticks"),
    make("start", "text", "first tick"),
    make("overwrite", "boolean", "keep the newest tick only", default="false"),
    cluster("project", "text", "project of the repo", OWNER),
    refused("commit", "text", "a fixed commit", "leave it out"),
    support="ignored",
    note="cron inputs are not run yet: the input makes no datums",
)

INPUT = (
    PFS,
    make("cross", "inputs", "every combination of the inputs' datums"),
    make("union", "inputs", "all datums of all inputs"),
    make("join", "inputs", "combinations of files with equal join_on"),
    make("group", "inputs", "one datum for all files with equal group_by"),
    CRON,
    renamed("atom", "mapping", "pfs"),
    refused(
        "git", "mapping", "a repository on GitHub", "add it as a subdataset and read it with pfs"
    ),
)
