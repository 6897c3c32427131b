"""Reasons why a datum runs, waits or is known: a closed list, the same words everywhere."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    "new",
    "tick",
    "input-changed",
    "command-changed",
    "code-changed",
    "environment-changed",
    "image-moved",
    "parameters-changed",
    "key-format",
    "result-missing",
    "edited",
    "result-unproven",
    "previous-failed",
    "forced",
    "in-flight",
    "no-worker",
    "known",
    "same-content",
    "current",
    "recovered",
    "upstream",
    "trigger",
    "failed",
    "broken-link",
    "cancelled",
    "blocked-by-failure",
    "content-missing",
    "spec-error",
    "missing-input",
    "image-unavailable",
    "paused",
    "approval-needed",
]

REASONS: tuple[Reason, ...] = get_args(Reason)

SENTENCES: dict[Reason, str] = {
    "new": "it had not been computed before",
    "tick": "its schedule has ticked",
    "input-changed": "an input has changed",
    "command-changed": "the command has changed",
    "code-changed": "a code file has changed",
    "environment-changed": "the environment has changed",
    "image-moved": "the image's tag names another image now",
    "parameters-changed": "a parameter (env, user, salt, the push under every_job) has changed",
    "key-format": "a newer tea-runner makes its key by other rules; nothing that it reads has changed",
    "result-missing": "its outputs are missing from the tree",
    "edited": "its outputs were changed by hand; they are put back",
    "result-unproven": "its result in the manifest does not count here: no trusted signature covers it, "
    "or it was computed under other conditions",
    "previous-failed": "it failed last time and is tried again",
    "forced": "a recompute was requested",
    "in-flight": "a job for it is waiting or running",
    "no-worker": "no worker that runs can do its job",
    "known": "a result with the same key exists",
    "same-content": "another datum of this plan has the same content; it is computed once",
    "current": "its outputs are up to date",
    "recovered": "its command failed and err_cmd succeeded: it has no outputs, and is tried again when "
    "its key changes",
    "upstream": "a pipeline that it reads is not settled yet",
    "trigger": "the trigger of its input has not fired yet",
    "failed": "it failed, and is not run again without a change or a retry",
    "broken-link": "a link among its inputs cannot be followed",
    "cancelled": "somebody cancelled it; it is not run again without a retry",
    "blocked-by-failure": "a pipeline that it reads has failed",
    "content-missing": "the content of an input is in no storage yet",
    "spec-error": "the pipeline file has an error",
    "missing-input": "an input does not exist in this dataset",
    "image-unavailable": "the registry of its image does not answer",
    "paused": "somebody paused it",
    "approval-needed": "it is more than limits.ask_above, and nobody has approved it yet",
}
