"""Receiver of events: ``POST /hooks/in/<trigger>`` keeps an event of a trigger of kind ``webhook``."""

from __future__ import annotations

import logging
import threading
import time

from flask import Blueprint, Response, jsonify, request

from tea_runner.core.errors import TeaError
from tea_runner.core.events.trigger import STREAMS
from tea_runner.flow.receive_delivery import DeliveryAnswer, refuse
from tea_runner.flow.receive_event import receive_event
from tea_runner.web.request_body import read_body
from tea_runner.web.web_dependencies import Triggers, WebDependencies

_log = logging.getLogger(__name__)

#: Large bodies that a process reads at once.
_LARGE_BODIES = 4


def add_event_receiver(routes: Blueprint, parts: WebDependencies, triggers: Triggers) -> None:
    """Add the route to which any program sends events."""
    large_bodies = threading.BoundedSemaphore(_LARGE_BODIES)

    def receive(name: str) -> Response:
        answer = _judge(parts, triggers, name, large_bodies)
        parts.count(answer.outcome)
        # The name is a stranger's until a trigger has it.
        shown = name if name in triggers.triggers else "?"
        _log.info("event of trigger %s: %d %s", shown, answer.http_status, dict(answer.body))
        response = jsonify(dict(answer.body))
        response.status_code = answer.http_status
        if answer.http_status == 503:
            response.headers["Retry-After"] = "30"
        return response

    routes.add_url_rule(
        "/hooks/in/<name>",
        "event",
        receive,
        methods=["POST"],
        provide_automatic_options=False,
    )


def _judge(
    parts: WebDependencies,
    triggers: Triggers,
    name: str,
    large_bodies: threading.BoundedSemaphore,
) -> DeliveryAnswer:
    sent = str(request.environ.get("RAW_URI", request.path))
    trigger = triggers.triggers.get(name)
    if trigger is None or trigger.kind in STREAMS or sent.partition("?")[0] != request.path:
        return refuse(404, "no such hook")
    try:
        proof = triggers.sender_proof(name)
        largest = min(trigger.max_body, parts.settings.web.max_body)
        body = read_body(request, largest, large_bodies, any_type=True)
        if isinstance(body, DeliveryAnswer):
            return body
        return receive_event(
            trigger,
            proof,
            request.headers,
            body,
            address=request.remote_addr or "",
            received=int(time.time()),
            spool=triggers.event_spool,
            requests=parts.requests,
        )
    except TeaError as error:
        _log.error("trigger %s: %s", name, error.message)
        return DeliveryAnswer(
            http_status=503, outcome="failed", body={"error": "this trigger does not work now"}
        )
