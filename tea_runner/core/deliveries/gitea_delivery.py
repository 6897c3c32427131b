"""Parse webhook deliveries of Gitea, Forgejo and Gogs into events.

Formats: Gitea's ``services/webhook/deliver.go`` and ``modules/structs/hook.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tea_runner.core.deliveries.delivery_events import (
    DeliveryEvent,
    Ignored,
    PushEvent,
    check_ref,
    check_repository,
    pull_request_event,
    push_event,
    read_object,
    read_part,
    read_text,
    reason_to_ignore,
)

#: Changes of a pull request that count; GitHub says "synchronize".
_ACTIONS = ("opened", "reopened", "closed", "synchronized", "synchronize", "edited")


def parse_gitea_delivery(event: str, body: bytes) -> DeliveryEvent:
    """Parse a correctly signed delivery.

    :param event: the forge's name of the event, from the header.
    :raises DeliveryError: when the body is malformed.
    """
    if event not in ("push", "delete", "pull_request"):
        return Ignored(reason=f"event {event[:40]!r}" if event else "event missing")
    payload = read_object(event, body)
    repository, number = read_repository(payload)
    if event == "pull_request":
        if payload.get("action") not in _ACTIONS:
            reason = "nothing of the pull request that counts has changed"
            return Ignored(reason=reason, repository=repository, repository_id=number)
        return pull_request_event(repository, number, payload.get("number"))
    ref = read_text(payload, "ref", 1000)
    if event == "delete":
        return _deleted(payload, repository, number, ref)
    check_ref(ref)
    return push_event(
        repository, number, ref, payload.get("before"), read_text(payload, "after", 64)
    )


def read_repository(payload: Mapping[str, Any]) -> tuple[str, int | None]:
    """Full name and number of the repository.

    :raises DeliveryError: when they are malformed.
    """
    said = read_part(payload, "repository")
    return check_repository("repository.full_name", said.get("full_name"), said.get("id"))


def _deleted(
    payload: Mapping[str, Any], repository: str, number: int | None, ref: str
) -> PushEvent | Ignored:
    """The deletion of a branch: Gitea sends its short name, Forgejo the full ref."""
    if payload.get("ref_type") != "branch":
        return Ignored(reason="not a branch", repository=repository, repository_id=number)
    full = ref if ref.startswith("refs/heads/") else f"refs/heads/{ref}"
    check_ref(full)
    reason = reason_to_ignore(full)
    if reason:
        return Ignored(reason=reason, repository=repository, repository_id=number)
    return PushEvent(
        repository=repository, repository_id=number, ref=full, after="0" * 40, deleted=True
    )
