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
    make(
        "trigger",
        "mapping",
        "when a change of this input starts the pipeline; one of the conditions is enough",
        make(
            "branch",
            "text",
            "branch whose commits count",
            support="differs",
            note="the branch that was pushed",
        ),
        make("commits", "number", "so many new commits that changed the input"),
        make("size", "bytes", "so many bytes of new files, such as 100M"),
        make(
            "cron_spec",
            "text",
            "times at which it starts, as the spec of cron",
            support="differs",
            note="can be combined with other conditions",
        ),
        make(
            "rate_limit_spec",
            "text",
            "at most once between two of these times, as the spec of cron",
            support="differs",
            note="what came too early starts at the next of these times, without a further commit",
        ),
        make("all", "boolean", "all conditions are needed", default="false"),
        make(
            "debounce",
            "duration",
            "besides, the input has to be as it is for so long, such as 10m",
            ours=True,
        ),
        support="differs",
        note="once the pipeline starts, also by another input, it reads what is there then",
    ),
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
    make(
        "name",
        "text",
        "name of the input; the command sees the file /pfs/<name>/<time of the tick>",
        required=True,
    ),
    make(
        "spec",
        "text",
        "five fields of cron(5), @hourly, @daily, @weekly, @monthly, @yearly, @every and a duration, or "
        "@never for ticks by hand only",
        required=True,
    ),
    ignored("repo", "text", "repo of the ticks", "ticks are recorded beside the branch"),
    make(
        "start",
        "text",
        "time (RFC 3339) after which the first tick comes",
        default="the time of the first plan",
    ),
    make("overwrite", "boolean", "only the newest tick is an input", default="false"),
    make(
        "catch_up",
        "text",
        "ticks that passed while no planner ran: one (the newest), or all",
        ours=True,
        choices=("once", "all"),
        default="once",
    ),
    cluster("project", "text", "project of the repo", OWNER),
    refused("commit", "text", "a fixed commit", "leave it out"),
    support="differs",
    note="ticks come on the default branch; the file holds its own time; after an outage one tick "
    "stands for all that were missed",
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
