"""Decides what becomes of a job, or of a plan, after an error; the callers carry it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.errors import (
    Cancelled,
    ContentMissing,
    OutsideError,
    Superseded,
    TeaError,
)
from tea_runner.sandbox.engine_images import ImageMissing
from tea_runner.sandbox.scratch_folder import is_host_error

#: Attempts of a job that met outside errors, and of one that met bugs of tea-runner.
_MOST_ATTEMPTS, _MOST_BUGS = 40, 3
#: Seconds that the worker itself waits before a retry, for each attempt that failed before.
_SHORT_PAUSE = 0.25
#: Attempts after which a retry goes back into the queue with a pause.
_SHORT_RETRIES = 2
#: Attempts after which the commit status says that a job is tried again.
TOLD_AT = _SHORT_RETRIES + 1
#: The longest time between two attempts, in seconds.
_LONGEST_WAIT = 300
#: Seconds before the next attempts at a plan; after the last one the reconciler requests another.
_PLAN_PAUSES = (0.2, 1.0)

Action = Literal["release", "cancel", "await content", "fail", "retry"]


@dataclass(frozen=True, kw_only=True)
class FailureDecision:
    """What becomes of a job after an error.

    ``release``: another worker may take it at once.  ``cancel``: it is not needed any more.
    ``await content``: it ends until content may have come.  ``fail``: all its datums failed for good.
    ``retry``: it is tried again, as :func:`retry_job` decides.
    """

    action: Action
    #: Error that people see.
    message: str
    #: Whether it is a bug of tea-runner, which is logged with its traceback.
    bug: bool = False


@dataclass(frozen=True, kw_only=True)
class RetryDecision:
    """When a job is tried again."""

    #: Seconds that the worker waits before it gives the job back.
    pause: float = 0.0
    #: Seconds until another worker may claim the job.
    wait: int = 0


def decide_failure(error: Exception, worker: str) -> FailureDecision:
    """What becomes of a job after this error.

    :param worker: name of the worker, for errors of its machine.
    """
    message = error.message if isinstance(error, TeaError) else f"{type(error).__name__}: {error}"
    match error:
        case Cancelled():
            return FailureDecision(action="release", message=message)
        case Superseded():
            return FailureDecision(action="cancel", message=message)
        case ContentMissing():
            return FailureDecision(action="await content", message=message)
        case OutsideError():
            return FailureDecision(action="retry", message=message)
        case ImageMissing():
            # Another worker may have it, and this one may get it.
            return FailureDecision(action="retry", message=f"on {worker}: {message}")
        case TeaError():
            return FailureDecision(action="fail", message=message)
        case OSError() if is_host_error(error):
            return FailureDecision(action="retry", message=f"on {worker}: {error}")
    return FailureDecision(action="retry", message=f"a bug of tea-runner: {message}", bug=True)


def retry_job(*, failed: int, bugs: int, jitter: float) -> RetryDecision | None:
    """When a job is tried again; None when the last error is final.

    Attempts that ended with the death of their worker are not counted: they say nothing of the world.

    :param failed: attempts that ended with an outside error or a bug, this one included.
    :param bugs: those that ended with a bug, when this one did; else 0.
    :param jitter: a random number from 0 to 1, which keeps jobs from returning together.
    """
    if failed >= _MOST_ATTEMPTS or bugs >= _MOST_BUGS:
        return None
    if failed <= _SHORT_RETRIES:
        return RetryDecision(pause=_SHORT_PAUSE * failed)
    wait = min(2.0 ** min(failed - _SHORT_RETRIES, 10), _LONGEST_WAIT)
    return RetryDecision(wait=math.ceil(wait * (0.75 + 0.25 * jitter)))


def retry_plan(error: TeaError, attempt: int) -> float | None:
    """Seconds before a branch is planned again; None to report the error instead.

    :param attempt: counted from 1.
    """
    if isinstance(error, OutsideError) and attempt <= len(_PLAN_PAUSES):
        return _PLAN_PAUSES[attempt - 1]
    return None
