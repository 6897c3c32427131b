"""Why a datum runs, waits or is known: the closed list, the same words everywhere."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    "new",
    "input-changed",
    "command-changed",
    "code-changed",
    "environment-changed",
    "parameters-changed",
    "result-missing",
    "previous-failed",
    "forced",
    "in-flight",
    "known",
    "same-content",
    "current",
    "upstream",
    "failed",
    "blocked-by-failure",
    "content-missing",
    "spec-error",
    "missing-input",
]

REASONS: tuple[Reason, ...] = get_args(Reason)

SENTENCES: dict[Reason, str] = {
    "new": "no result is known for this datum",
    "input-changed": "an input has other content than last time",
    "command-changed": "the command is another one",
    "code-changed": "a code file has other content",
    "environment-changed": "the environment is another one",
    "parameters-changed": "a parameter (env, user, salt, the push under every_job) is another one",
    "result-missing": "its outputs are gone from the tree",
    "previous-failed": "it failed last time and is tried again",
    "forced": "somebody asked for it",
    "in-flight": "a worker is at it, or will be",
    "known": "a result with the same key is known",
    "same-content": "another datum of this plan has the same content; it is computed once",
    "current": "its outputs stand in the tree",
    "upstream": "a pipeline that it reads is not settled yet",
    "failed": "it failed, and would fail again",
    "blocked-by-failure": "a pipeline that it reads has failed",
    "content-missing": "the content of an input is in no storage yet",
    "spec-error": "the pipeline file has an error",
    "missing-input": "an input names nothing in this dataset",
}
