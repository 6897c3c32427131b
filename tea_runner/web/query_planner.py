"""Ask a planner, and wait for its answer: it may read repositories, and write jobs and runs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any

from tea_runner.core.errors import NotFound, OutsideError, Refused, UserError
from tea_runner.core.planning.cancel_retry_recompute import ActionKind, RunAction
from tea_runner.core.planning.planner_query import RunQuestion
from tea_runner.wiring import Site

#: Seconds that a request waits, and requests of one process that wait at once.
_PATIENCE, _MOST = 20.0, 8
_PAUSE = 0.1
_WAITING = BoundedSemaphore(_MOST)


def ask(site: Site, question: RunQuestion) -> Mapping[str, Any]:
    """The answer to a question.

    :raises OutsideError: when no planner has answered in time, or too many wait.
    :raises TeaError: what the planner says.
    """
    return _ask(site, question)


def act(site: Site, kind: ActionKind, repository: str, by: str, **about: Any) -> Mapping[str, Any]:
    """Have an action carried out; what came of it.

    :param about: further parts of a :class:`RunAction`.

    :raises OutsideError: when no planner has taken it in time, so that it is not done, or too many wait.
    :raises TeaError: what the planner says.
    """
    action = RunAction(
        kind=kind,
        repository=repository,
        by=by,
        until=time.time() + _PATIENCE,
        nonce=uuid.uuid4().hex,
        **about,
    )
    return _ask(site, action)


def _ask(site: Site, asked: RunQuestion | RunAction) -> Mapping[str, Any]:
    if not _WAITING.acquire(blocking=False):
        raise OutsideError("too many requests wait for a planner", hint="ask again later")
    try:
        found = _wait(site, asked)
    finally:
        _WAITING.release()
    if "error" in found:
        kinds = {403: Refused, 404: NotFound, 503: OutsideError}
        raise kinds.get(int(found.get("status", 400)), UserError)(str(found["error"]))
    return found


def _wait(site: Site, asked: RunQuestion | RunAction) -> Mapping[str, Any]:
    until = time.monotonic() + _PATIENCE
    found = site.questions.answer(asked)
    if found is None:
        site.questions.ask(asked)
    while found is None:
        if time.monotonic() >= until:
            if isinstance(asked, RunAction) and not site.questions.withdraw(asked.id):
                raise OutsideError(
                    "a planner has begun it and did not say what came of it",
                    hint="look at the run",
                )
            raise OutsideError(
                f"no planner has answered within {_PATIENCE:.0f} seconds; nothing was done",
                hint="ask again later",
            )
        time.sleep(_PAUSE)
        found = site.questions.answer(asked)
    return found
