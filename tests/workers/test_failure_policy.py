"""What becomes of a job or a plan after each kind of error, as values."""

from __future__ import annotations

import errno

import pytest

from tea_runner.core.errors import (
    Cancelled,
    CommandFailed,
    ContentMissing,
    ForgeError,
    OutsideError,
    QueueError,
    Refused,
    SpecError,
    Superseded,
)
from tea_runner.sandbox.engine_images import ImageMissing
from workers.failure_policy import (
    Action,
    RetryDecision,
    decide_failure,
    retry_job,
    retry_plan,
)


@pytest.mark.parametrize(
    ("error", "action", "bug"),
    [
        (Cancelled("x"), "release", False),
        (Superseded("x"), "cancel", False),
        (ContentMissing("x"), "await content", False),
        (OutsideError("x"), "retry", False),
        (ForgeError("x"), "retry", False),
        (QueueError("x"), "retry", False),
        (SpecError("x"), "fail", False),
        (Refused("x"), "fail", False),
        (ImageMissing("x"), "retry", False),
        (CommandFailed("x"), "fail", False),
        (OSError(errno.ENOSPC, "no space left"), "retry", False),
        (OSError(errno.EISDIR, "is a directory"), "retry", True),
        (RuntimeError("x"), "retry", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_one_consequence(error: Exception, action: Action, bug: bool) -> None:
    """Only what is no error of ours, of the datum or of policy is tried again."""
    decision = decide_failure(error, "worker-1")
    assert (action, bug) == (decision.action, decision.bug)
    assert str(error) in decision.message


def test_a_machine_is_named_in_its_error() -> None:
    """Another worker may do better; a bug says that it is one."""
    assert "on worker-1: " in decide_failure(OSError(errno.ENOSPC, "full"), "worker-1").message
    assert "on worker-1: no" == decide_failure(ImageMissing("no"), "worker-1").message
    assert "a bug of tea-runner: RuntimeError: x" == decide_failure(RuntimeError("x"), "w").message


def test_pauses_double_up_to_five_minutes() -> None:
    """Twice at once, then after 2, 4, 8 … 300 seconds, or up to a quarter less."""
    decisions = [retry_job(failed=failed, bugs=0, jitter=1.0) for failed in range(1, 14)]
    short = [RetryDecision(pause=0.25), RetryDecision(pause=0.5)]
    waits = [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [*short, *(RetryDecision(wait=wait) for wait in waits)] == decisions
    assert RetryDecision(wait=225) == retry_job(failed=20, bugs=0, jitter=0.0)


@pytest.mark.parametrize(("failed", "bugs"), [(40, 0), (3, 3), (5, 3)])
def test_the_last_error_is_final(failed: int, bugs: int) -> None:
    """After forty attempts, or three bugs however many other attempts there were."""
    assert None is retry_job(failed=failed, bugs=bugs, jitter=0.5)


def test_a_plan_is_tried_three_times() -> None:
    """Where the world failed; what a person must change is reported at once."""
    assert [0.2, 1.0, None] == [retry_plan(OutsideError("x"), attempt) for attempt in (1, 2, 3)]
    assert None is retry_plan(SpecError("x"), 1)
