"""The verbs of the command line with their short help, in the order and groups of ``--help``.

``tea-runner --help`` and completion read this table only: no verb's module is imported for them.
"""

from __future__ import annotations

GROUPS = {
    "In a dataset, without a server": {
        "init": "Write a starter pipeline.",
        "lint": "Check the pipeline files.",
        "datums": "List datums and their keys.",
        "plan": "Show what a push would run, and why.",
        "run": "Run new and changed datums here; commit the results.",
        "shell": "Start a shell in the sandbox of a datum, with its inputs.",
        "tick": "Run what the schedules of pipelines are due for.",
        "trigger": "Start a pipeline by hand, with values of its variables.",
        "watch": "Save files when they arrive, and run or push.",
        "status": "Show which results are current, stale or missing.",
        "why": "Explain why a datum runs, or what made a file.",
        "dag": "Draw the pipelines and their inputs.",
        "lineage": "Trace a result to its inputs, or an input to results.",
        "pin": "Write the digests of images into pipeline files.",
        "resolve": "Print all pipelines with defaults and datums filled in.",
        "reproduce": "Compute known results again and compare the bytes.",
        "verify-commit": "Check signature, keys and outputs of a results commit.",
    },
    "With a server": {
        "runs": "List runs.",
        "show": "Show one run or job.",
        "logs": "Print a job's log.",
        "open": "Open the page of a run, a job or a repository.",
        "report": "Write a run as one HTML file.",
        "wait": "Wait for the end of a run.",
        "retry": "Run failed, cancelled and waiting datums again, now.",
        "recompute": "Compute known results on the server again; replace what differs.",
        "cancel": "Cancel a job, or all jobs of a run.",
        "approve": "Approve that a run computes more than limits.ask_above.",
        "pause": "Have no more jobs begin, of a pipeline, a repository or all.",
        "resume": "End a pause; what waited begins.",
        "pr": "List pull requests and approve their commits.",
    },
    "Set up and administer": {
        "demo": "Show two pushes and their results, then clean up.",
        "setup": "Set up account, token, settings and webhooks on a forge.",
        "up": "Start a server with workers on this host.",
        "lab": "Start a server with Gitea and MinIO on this host.",
        "webhook": "Manage webhooks of repositories.",
        "forge": "Start the embedded forge, or add its users.",
        "check": "Check settings, programs and servers.",
        "config": "Show settings, or write a commented settings file.",
        "trust": "Show and rotate keys; sign results that have no signature.",
        "backup": "Save keys, webhooks, tokens and settings, or restore them.",
        "index": "Show or rebuild the index of known results.",
        "completion": "Print the completion script of a shell.",
    },
    "Processes of a server": {
        "serve": "Start the receiver of webhooks and the pages.",
        "planner": "Start a planner on this host.",
        "worker": "Start a worker on this host, or several.",
        "slurm": "Keep as many burst workers in Slurm as jobs wait.",
        "triggers": "Commit what webhooks, object stores and streams bring.",
        "reconcile": "Find missed pushes and lost jobs, and repair them.",
        "autoscaler": "Start and stop hosts with workers by the length of the queue.",
        "run-job": "Carry out one job of a run on a node of a cluster.",
        "settle-run": "Commit the results of a detached run.",
        "exec": "Repeat datums of a run record; datalad rerun calls it.",
    },
}
SHORT_HELP = {name: words for group in GROUPS.values() for name, words in group.items()}
VERBS = tuple(SHORT_HELP)
#: Verbs that ask the server of ``--server``, and only where it is typed: they look at a dataset without it.
ASK_IF_TYPED = frozenset({"plan", "status", "why", "lineage", "shell", "trigger"})
#: Verbs that ask the server of ``--server``, or of the variable.
ASK_SERVER = ASK_IF_TYPED | frozenset(
    ["runs", "show", "logs", "wait", "retry", "recompute", "cancel", "approve", "pause", "resume"]
)
#: Former names of verbs, which help and completion do not show.
ALIASES = {"pull": "pr", "hook": "webhook", "verify": "reproduce"}
