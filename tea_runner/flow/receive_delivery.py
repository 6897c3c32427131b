"""A delivery in, a request to plan and the answer to the forge out.

Nothing is cloned and nobody is asked: the request is kept, and the forge gets its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.delivery import (
    TEST_DELIVERY,
    DeliveryError,
    Headers,
    Ignored,
    dialect,
    is_signed,
    parse_delivery,
)
from tea_runner.core.errors import QueueError
from tea_runner.core.git.branch import is_processed
from tea_runner.core.hook import Hook, matches_repository
from tea_runner.ports import PlanRequests


@dataclass(frozen=True, kw_only=True)
class DeliveryAnswer:
    """What the forge is told: an HTTP status and a short object for JSON.

    :param word: ``accepted``, ``ignored``, ``tested``, ``refused`` or ``failed``, for counting.
    """

    status: int
    word: str
    body: Mapping[str, str]


def refuse(status: int, message: str) -> DeliveryAnswer:
    """An answer that says what is wrong, and nothing about us."""
    return DeliveryAnswer(status=status, word="refused", body={"error": message})


def receive_delivery(
    hook: Hook,
    headers: Headers,
    body: bytes,
    requests: PlanRequests,
    *,
    repositories: Sequence[str] = (),
    branches: Sequence[str] = ("*",),
    pull_requests: bool = False,
) -> DeliveryAnswer:
    """Judge one delivery, and ask for a plan when it announces work.

    :param headers: of the request; looked up without regard to case.
    :param repositories: patterns of repositories that are processed; empty for all of the hook's.
    :param pull_requests: whether branches of approved pull requests are processed.
    """
    spoken = dialect(hook.forge, headers)
    if not is_signed(body, headers.get(spoken.signature, ""), hook.secrets):
        return refuse(401, "the signature does not fit")
    try:
        event = parse_delivery(headers.get(spoken.event, ""), body)
    except DeliveryError as bad:
        return refuse(bad.status, bad.message)
    if event.repository and not _may(hook, event.repository, event.repository_id, repositories):
        return refuse(404, "no such repository for this hook")
    if isinstance(event, Ignored):
        return _ignored(event.reason)
    name = event.ref.removeprefix("refs/heads/")
    if not is_processed(name, branches, pull_requests=pull_requests):
        return _ignored("a branch that the settings leave out")
    why = "branch deleted" if event.deleted else f"push of {event.after[:12]}"
    try:
        requests.request_plan(event.repository, event.ref, why=why)
    except QueueError:
        return DeliveryAnswer(
            status=503,
            word="failed",
            body={"error": "the queue cannot be reached; the push will be found later"},
        )
    return DeliveryAnswer(
        status=202,
        word="accepted",
        body={"status": "accepted", "repository": event.repository, "ref": event.ref},
    )


def _may(hook: Hook, repository: str, number: int | None, repositories: Sequence[str]) -> bool:
    if not matches_repository(hook.repository, repository):
        return False
    if hook.repository_id is not None and hook.repository_id != number:
        return False
    return not repositories or any(
        matches_repository(pattern, repository) for pattern in repositories
    )


def _ignored(reason: str) -> DeliveryAnswer:
    return DeliveryAnswer(
        status=202,
        word="tested" if reason == TEST_DELIVERY else "ignored",
        body={"status": "ignored", "reason": f"ignored: {reason}"},
    )
