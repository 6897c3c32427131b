"""Outcome of a job whose results are in the clone: which of its datums failed, and what they printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tea_runner.core.errors import OutsideError


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """What became of a job; results are not in it, because the clone holds them under the job's ref."""

    #: Keys of datums that failed, or whose inputs are missing, to error sentences.
    failures: Mapping[str, str] = field(default_factory=dict)
    #: What the commands printed, within the limit ``log.max_bytes``.
    log: bytes = b""
    #: Why the job as a whole was not carried out; None when it was.
    error: OutsideError | None = None

    def to_json(self) -> str:
        """The outcome without its log, as :func:`read_outcome` reads it."""
        error = None if self.error is None else [self.error.problem, self.error.hint]
        return json.dumps({"failures": dict(self.failures), "error": error})


def read_outcome(text: str, log: bytes) -> JobOutcome:
    """The outcome in a text of :meth:`JobOutcome.to_json`.

    :raises OutsideError: when it is none: the disk was full, or another version wrote it.
    """
    try:
        document = json.loads(text)
        failures = {str(key): str(why) for key, why in document["failures"].items()}
        error = document["error"]
        if error is None:
            return JobOutcome(failures=failures, log=log)
        problem, hint = error
        wrong = OutsideError(str(problem), hint=str(hint))
        return JobOutcome(failures=failures, log=log, error=wrong)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OutsideError("the outcome of a job cannot be read") from error
