"""Parse webhook deliveries of GitHub; formats: "Webhook events and payloads" of its documentation."""

from __future__ import annotations

from tea_runner.core.deliveries.delivery_events import (
    TEST_DELIVERY,
    DeliveryEvent,
    Ignored,
    read_object,
)
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery, read_repository


def parse_github_delivery(event: str, body: bytes) -> DeliveryEvent:
    """Parse a correctly signed delivery.

    The events are those of Gitea, but a deleted branch is a push of zeros, and a test an event of its own.

    :raises DeliveryError: when the body is malformed.
    """
    if event == "delete":
        return Ignored(reason="event 'delete'")
    if event != "ping":
        return parse_gitea_delivery(event, body)
    payload = read_object(event, body)
    if "repository" not in payload:
        return Ignored(reason="a test of a hook that belongs to no repository")
    name, number = read_repository(payload)
    return Ignored(reason=TEST_DELIVERY, repository=name, repository_id=number, is_test=True)
