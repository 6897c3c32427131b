"""Parse a delivery by the kind of forge that sent it."""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.core.deliveries.bitbucket_delivery import parse_bitbucket_delivery
from tea_runner.core.deliveries.delivery_events import DeliveryEvent
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.deliveries.github_delivery import parse_github_delivery
from tea_runner.core.deliveries.gitlab_delivery import parse_gitlab_delivery


def read_delivery(forge: str, event: str, body: bytes) -> Sequence[DeliveryEvent]:
    """What a correctly signed delivery announces, at least one event; all are of one repository.

    :param event: the forge's name of the event, from the header.
    :raises DeliveryError: when the body is malformed.
    """
    if forge == "github":
        return [parse_github_delivery(event, body)]
    if forge == "bitbucket":
        return parse_bitbucket_delivery(event, body)
    if forge == "gitlab":
        return [parse_gitlab_delivery(event, body)]
    return [parse_gitea_delivery(event, body)]
