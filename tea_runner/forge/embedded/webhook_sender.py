"""Webhook deliveries as Gitea sends them: signed, once, with a timeout of five seconds, in no order."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import requests

_log = logging.getLogger(__name__)

#: Seconds; Gitea's DELIVER_TIMEOUT.
TIMEOUT = 5.0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event for one webhook."""

    url: str
    secret: str
    event: str
    body: bytes
    id: str = ""

    def headers(self) -> dict[str, str]:
        """The headers of Gitea, Gogs and GitHub; without a secret the signatures are empty."""
        key = self.secret.encode()
        one = hmac.new(key, self.body, hashlib.sha1).hexdigest() if key else ""
        two = hmac.new(key, self.body, hashlib.sha256).hexdigest() if key else ""
        headers = {"Content-Type": "application/json", "User-Agent": "tea-runner-forge"}
        for forge in ("GitHub", "Gitea", "Gogs"):
            headers[f"X-{forge}-Delivery"] = self.id
            headers[f"X-{forge}-Event"] = self.event
            headers[f"X-{forge}-Event-Type"] = self.event
        for forge in ("GitHub", "Gitea"):
            headers[f"X-{forge}-Hook-Installation-Target-Type"] = "repository"
        for forge in ("Gitea", "Gogs"):
            headers[f"X-{forge}-Signature"] = two
        headers["X-Hub-Signature"] = f"sha1={one}"
        headers["X-Hub-Signature-256"] = f"sha256={two}"
        return headers


def make_delivery(hook: dict[str, Any], event: str, payload: dict[str, Any]) -> Delivery:
    """Make the delivery of an event for a webhook as the API stores it."""
    config = hook["config"]
    return Delivery(
        url=str(config.get("url", "")),
        secret=str(config.get("secret", "")),
        event=event,
        body=json.dumps(payload, indent=2, ensure_ascii=False).encode("utf-8", "replace"),
    )


class WebhookSender:
    """Thread pool that sends deliveries."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="deliver")
        self._stopped = threading.Event()

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send each once, in the background."""
        for each in deliveries:
            self.submit(partial(self.attempt, each))

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task in the background; dropped after :meth:`stop`."""
        with contextlib.suppress(RuntimeError):
            self._pool.submit(task).add_done_callback(_log_failure)

    def stop(self) -> None:
        """Drop what was not sent yet, and wait for what is being sent."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def attempt(self, delivery: Delivery, delay: float = 0.0) -> None:
        """Send one delivery, after a delay in seconds; Gitea does not send it again either."""
        if self._stopped.wait(delay) if delay else self._stopped.is_set():
            return
        delivery = replace(delivery, id=str(uuid.uuid4()))
        try:
            with requests.Session() as session:
                session.trust_env = False
                response = session.post(
                    delivery.url,
                    data=delivery.body,
                    headers=delivery.headers(),
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
                _log.debug("delivery to %s: %d", delivery.url, response.status_code)
        except (requests.RequestException, ValueError) as error:
            _log.debug("delivery to %s: %s", delivery.url, error)


def _log_failure(task: Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("a delivery could not be made: %r", task.exception())
