"""Dependencies of the web application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flask import Blueprint

from tea_runner.core.access import Requirement
from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.core.events.sender_proof import SenderProof
from tea_runner.core.events.trigger import Trigger
from tea_runner.ports import EventSpool, PlanRequests
from tea_runner.settings import Settings
from tea_runner.web.access_dependencies import AccessDependencies
from tea_runner.web.route_requirements import REQUIREMENTS


class Webhooks(Protocol):
    """Store of webhooks."""

    def get(self, webhook_id: str) -> Webhook | None:
        """Return the hook with this id, or None."""
        ...

    def note_test(self, webhook_id: str) -> None:
        """Record that a test delivery arrived."""
        ...


class Triggers(Protocol):
    """Triggers that receive events here."""

    @property
    def triggers(self) -> Mapping[str, Trigger]:
        """Triggers by name."""
        ...

    @property
    def event_spool(self) -> EventSpool:
        """Where events wait."""
        ...

    def sender_proof(self, name: str) -> SenderProof:
        """What senders of a trigger have to show.

        :raises SettingsError: when a file with a secret cannot be read.
        """
        ...


def _no_count(word: str) -> None:
    """Default of ``count``: do nothing."""


@dataclass(frozen=True, kw_only=True)
class WebDependencies:
    """What the views use.

    :param ready: name to a check that returns "" or the problem, within a second.
    :param notes: what keeps this server from its work although deliveries are received: names to sentences.
    :param count: called once for each delivery, with its outcome.
    :param serves_webhooks: whether deliveries are received here.
    :param triggers: triggers whose events are received here as well; None for none.
    :param blueprints: further routes, such as the pages.
    :param access: people; without it, only routes without a requirement answer.
    :param requirements: what each route requires, by endpoint.
    """

    settings: Settings
    webhooks: Webhooks
    requests: PlanRequests
    ready: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    notes: Callable[[], Mapping[str, str]] = dict
    count: Callable[[str], None] = _no_count
    serves_webhooks: bool = True
    triggers: Triggers | None = None
    blueprints: tuple[Blueprint, ...] = ()
    access: AccessDependencies | None = None
    requirements: Mapping[str, Requirement] = field(default_factory=lambda: REQUIREMENTS)
