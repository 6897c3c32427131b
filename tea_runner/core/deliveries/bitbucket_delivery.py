"""Parse webhook deliveries of Bitbucket Data Center; formats: "Event payload" of its documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tea_runner.core.deliveries.delivery_events import (
    TEST_DELIVERY,
    DeliveryError,
    DeliveryEvent,
    Ignored,
    check_repository,
    pull_request_event,
    push_event,
    read_object,
    read_part,
    read_text,
)

_PULL_REQUESTS = (
    "pr:opened",
    "pr:reopened",
    "pr:from_ref_updated",
    "pr:modified",
    "pr:merged",
    "pr:declined",
    "pr:deleted",
)
#: Refs of one push that are read; a push of more is found by the reconciler.
_MOST_CHANGES = 1000


def parse_bitbucket_delivery(event: str, body: bytes) -> Sequence[DeliveryEvent]:
    """Parse a correctly signed delivery; one push may move several refs.

    :raises DeliveryError: when the body is malformed.
    """
    if event == "diagnostics:ping":
        return [Ignored(reason=TEST_DELIVERY, is_test=True)]
    if event not in ("repo:refs_changed", *_PULL_REQUESTS):
        return [Ignored(reason=f"event {event[:40]!r}" if event else "event missing")]
    payload = read_object(event, body)
    if event in _PULL_REQUESTS:
        request = read_part(payload, "pullRequest")
        name, number = _repository(read_part(read_part(request, "toRef"), "repository"))
        return [pull_request_event(name, number, request.get("id"))]
    name, number = _repository(read_part(payload, "repository"))
    changes = payload.get("changes")
    if not isinstance(changes, list):
        raise DeliveryError(400, "changes: expected a list")
    if not changes or len(changes) > _MOST_CHANGES:
        reason = f"{len(changes)} refs have changed"
        return [Ignored(reason=reason, repository=name, repository_id=number)]
    return [_change(name, number, change) for change in changes]


def _change(name: str, number: int | None, change: object) -> DeliveryEvent:
    if not isinstance(change, dict):
        raise DeliveryError(400, "changes: expected objects")
    ref = read_text(read_part(change, "ref"), "id", 1000)
    return push_event(name, number, ref, change.get("fromHash"), read_text(change, "toHash", 64))


def _repository(said: Mapping[str, Any]) -> tuple[str, int | None]:
    key, slug = read_part(said, "project").get("key"), said.get("slug")
    return check_repository("repository", f"{key}/{slug}", said.get("id"))
