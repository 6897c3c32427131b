"""Receipt of a webhook delivery: its signature is checked, and a plan of the branch is requested.

Nothing is cloned or fetched, so that the forge has its answer at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.deliveries.delivery_events import (
    DeliveryError,
    DeliveryEvent,
    Ignored,
    PullRequestEvent,
)
from tea_runner.core.deliveries.delivery_signature import Headers, dialect, is_signed
from tea_runner.core.deliveries.read_delivery import read_delivery
from tea_runner.core.deliveries.registered_webhook import Webhook, matches_repository
from tea_runner.core.errors import QueueError
from tea_runner.core.git.branch_kinds import ANNEX_BRANCH, PULL_REQUEST_PREFIX, exclusion
from tea_runner.ports import PlanRequests

DeliveryOutcome = Literal["accepted", "ignored", "tested", "refused", "failed"]
#: Which event's answer is that of a delivery with several: a forge sends one again that failed.
_ORDER: Sequence[DeliveryOutcome] = ("failed", "accepted", "tested", "ignored")


@dataclass(frozen=True, kw_only=True)
class DeliveryAnswer:
    """The HTTP answer to a delivery: a status and an object for JSON."""

    http_status: int
    #: For counting.
    outcome: DeliveryOutcome
    body: Mapping[str, str]


def refuse(http_status: int, message: str) -> DeliveryAnswer:
    """An answer with the reason, and nothing about this server."""
    return DeliveryAnswer(http_status=http_status, outcome="refused", body={"error": message})


def receive_delivery(
    hook: Webhook,
    headers: Headers,
    body: bytes,
    requests: PlanRequests,
    *,
    repositories: Sequence[str] = (),
    branches: Sequence[str] = ("*",),
    pull_requests: bool = False,
    comments: bool = False,
) -> DeliveryAnswer:
    """Check one delivery, and request a plan when a processed branch was pushed.

    :param headers: of the HTTP request, case-insensitive.
    :param repositories: patterns of repositories that are processed; empty for all of the hook's.
    :param branches: patterns of branches that are processed.
    :param pull_requests: whether branches of approved pull requests are processed.
    :param comments: whether pull requests get a comment.
    """
    header = dialect(hook.forge, headers)
    signature = headers.get(header.signature, "")
    if not is_signed(body, signature, hook.secrets, header.proof):
        return refuse(401, "the signature is not valid")
    try:
        events = read_delivery(hook.forge, headers.get(header.event, ""), body)
    except DeliveryError as error:
        return refuse(error.http_status, error.message)
    if any(
        event.repository
        and not _is_allowed(hook, event.repository, event.repository_id, repositories)
        for event in events
    ):
        return refuse(404, "no such repository for this hook")
    processing = _Processing(branches=branches, pull_requests=pull_requests, comments=comments)
    answers = [_request(event, requests, processing) for event in events]
    return next(
        (each for wanted in _ORDER for each in answers if each.outcome == wanted), answers[0]
    )


@dataclass(frozen=True, kw_only=True)
class _Processing:
    """See :func:`receive_delivery`."""

    branches: Sequence[str]
    pull_requests: bool
    comments: bool


def _request(
    event: DeliveryEvent, requests: PlanRequests, processing: _Processing
) -> DeliveryAnswer:
    """Request the plan of one event."""
    if isinstance(event, Ignored):
        return _ignored(event.reason, is_test=event.is_test)
    if isinstance(event, PullRequestEvent):
        if not processing.comments:
            return _ignored("pull requests get no comment here; see status.comment")
        ref, why = f"refs/heads/{PULL_REQUEST_PREFIX}{event.number}", "pull request"
    else:
        name = event.ref.removeprefix("refs/heads/")
        excluded = exclusion(name, processing.branches, pull_requests=processing.pull_requests)
        if excluded and name != ANNEX_BRANCH:
            return _ignored(excluded)
        ref, why = event.ref, "branch deleted" if event.deleted else f"push of {event.after[:12]}"
    try:
        requests.request_plan(event.repository, ref, why=why)
    except QueueError:
        return DeliveryAnswer(
            http_status=503,
            outcome="failed",
            body={"error": "the queue cannot be reached; the push will be found later"},
        )
    return DeliveryAnswer(
        http_status=202,
        outcome="accepted",
        body={"status": "accepted", "repository": event.repository, "ref": ref},
    )


def _is_allowed(
    hook: Webhook, repository: str, number: int | None, repositories: Sequence[str]
) -> bool:
    if not matches_repository(hook.repository, repository):
        return False
    if hook.repository_id is not None and hook.repository_id != number:
        return False
    return not repositories or any(
        matches_repository(pattern, repository) for pattern in repositories
    )


def _ignored(reason: str, *, is_test: bool = False) -> DeliveryAnswer:
    return DeliveryAnswer(
        http_status=202,
        outcome="tested" if is_test else "ignored",
        body={"status": "ignored", "reason": f"ignored: {reason}"},
    )
