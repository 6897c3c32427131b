"""Parse webhook deliveries of GitLab; formats: "Webhook events" of its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tea_runner.core.deliveries.delivery_events import (
    TEST_DELIVERY,
    DeliveryEvent,
    Ignored,
    check_repository,
    pull_request_event,
    push_event,
    read_object,
    read_part,
    read_text,
)

#: Changes of a merge request that count.
_ACTIONS = ("open", "reopen", "close", "merge", "update")


def parse_gitlab_delivery(event: str, body: bytes) -> DeliveryEvent:
    """Parse a delivery with the right token.

    Tests are pushes of tags, which webhooks of tea-runner get for no other reason.

    :raises DeliveryError: when the body is malformed.
    """
    if event not in ("Push Hook", "Tag Push Hook", "Merge Request Hook"):
        return Ignored(reason=f"event {event[:40]!r}" if event else "event missing")
    payload = read_object(event, body)
    name, number = _project(payload)
    if event == "Tag Push Hook":
        return Ignored(reason=TEST_DELIVERY, repository=name, repository_id=number, is_test=True)
    if event == "Push Hook":
        # A test that somebody asks for on GitLab's page looks like a push of the default branch.
        ref, after = read_text(payload, "ref", 1000), read_text(payload, "after", 64)
        return push_event(name, number, ref, payload.get("before"), after)
    said = read_part(payload, "object_attributes")
    if said.get("action") not in _ACTIONS:
        reason = "nothing of the merge request that counts has changed"
        return Ignored(reason=reason, repository=name, repository_id=number)
    return pull_request_event(name, number, said.get("iid"))


def _project(payload: Mapping[str, Any]) -> tuple[str, int | None]:
    project = read_part(payload, "project")
    return check_repository(
        "project.path_with_namespace", project.get("path_with_namespace"), project.get("id")
    )
