"""Receiver of webhook deliveries: ``POST /hooks/<forge>/<hook id>`` requests a plan."""

from __future__ import annotations

import logging
import threading

from flask import Blueprint, Response, jsonify, request

from tea_runner.core.deliveries.delivery_signature import DIALECTS, dialect
from tea_runner.core.errors import TeaError
from tea_runner.flow.receive_delivery import DeliveryAnswer, receive_delivery, refuse
from tea_runner.web.event_receiver import add_event_receiver
from tea_runner.web.request_body import read_body
from tea_runner.web.web_dependencies import WebDependencies

_log = logging.getLogger(__name__)

#: Large bodies that a process reads at once; each is up to ``web.max_body`` bytes in memory.
_LARGE_BODIES = 4


def webhooks_blueprint(parts: WebDependencies) -> Blueprint:
    """Create the route to which forges send deliveries."""
    routes = Blueprint("hooks", __name__)
    large_bodies = threading.BoundedSemaphore(_LARGE_BODIES)

    def deliver(forge: str, webhook_id: str) -> Response:
        answer = _judge(parts, forge, webhook_id, large_bodies)
        if answer.outcome == "tested":
            parts.webhooks.note_test(webhook_id)
        parts.count(answer.outcome)
        _log.info(
            "delivery %s: %d %s",
            answer.outcome,
            answer.http_status,
            dict(answer.body),
            extra=_log_fields(forge),
        )
        response = jsonify(dict(answer.body))
        response.status_code = answer.http_status
        return response

    routes.add_url_rule(
        "/hooks/<forge>/<webhook_id>",
        "deliver",
        deliver,
        methods=["POST"],
        provide_automatic_options=False,
    )
    if parts.triggers is not None:
        add_event_receiver(routes, parts, parts.triggers)
    return routes


def _log_fields(forge: str) -> dict[str, str]:
    """Log fields: the id of the delivery."""
    if forge not in DIALECTS:
        return {}
    return {"delivery": request.headers.get(dialect(forge, request.headers).delivery, "")[:64]}


def _judge(
    parts: WebDependencies, forge: str, webhook_id: str, large_bodies: threading.BoundedSemaphore
) -> DeliveryAnswer:
    """Check the address, the body and the signature of a delivery, and request a plan."""
    sent = str(request.environ.get("RAW_URI", request.path))
    if sent.partition("?")[0] != request.path:
        # gunicorn normalizes paths (leading //, escapes) before the application sees them.
        return refuse(404, "no such hook")
    try:
        hook = parts.webhooks.get(webhook_id) if forge in DIALECTS else None
    except TeaError as error:
        _log.error("%s", error.message)
        return DeliveryAnswer(
            http_status=503, outcome="failed", body={"error": "the hooks cannot be read"}
        )
    if hook is None or hook.forge != forge:
        return refuse(404, "no such hook")
    body = read_body(request, parts.settings.web.max_body, large_bodies)
    if isinstance(body, DeliveryAnswer):
        return body
    return receive_delivery(
        hook,
        request.headers,
        body,
        parts.requests,
        repositories=parts.settings.repositories,
        branches=parts.settings.branches,
        pull_requests=parts.settings.pull_requests,
        comments=parts.settings.status.comment,
    )
