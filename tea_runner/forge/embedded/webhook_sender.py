"""Events in, signed deliveries out, in Gitea's way: once, within five seconds, in no order."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import requests

from tea_runner.forge.embedded.manners import Manners

_log = logging.getLogger(__name__)

TIMEOUT = 5.0
#: How many deliveries are remembered per hook.
KEPT = 100


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event for one hook.

    :param status: what the receiver answered; 0 while it has not, or could not.
    """

    hook: int
    url: str
    secret: str
    event: str
    body: bytes
    id: str = ""
    status: int = 0
    said: str = ""

    def headers(self) -> dict[str, str]:
        """All the twins that Gitea sends; without a secret the signatures are empty."""
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


def make(hook: dict[str, Any], event: str, payload: dict[str, Any]) -> Delivery:
    """The delivery of an event to a hook as the API keeps it."""
    config = hook["config"]
    return Delivery(
        hook=int(hook["id"]),
        url=str(config.get("url", "")),
        secret=str(config.get("secret", "")),
        event=event,
        body=json.dumps(payload, indent=2, ensure_ascii=False).encode("utf-8", "replace"),
    )


class WebhookSender:
    """Sends in the background and remembers what came of it."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="deliver")
        self._lock = threading.Lock()
        self._history: dict[int, deque[Delivery]] = {}
        self._due: set[Future[None]] = set()
        self._stopped = threading.Event()

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send each once, as the manners say; returns at once."""
        for delay, each in self.manners.deliveries(deliveries):
            self.later(partial(self._attempt, replace(each, id=str(uuid.uuid4())), delay))

    def later(self, task: Callable[[], None]) -> None:
        """Do something in the background; returns at once."""
        with contextlib.suppress(RuntimeError):  # it was stopped meanwhile
            due = self._pool.submit(task)
            with self._lock:
                self._due.add(due)
            due.add_done_callback(self._done)

    def history(self, hook: int) -> list[Delivery]:
        """What was sent to a hook lately, oldest first."""
        with self._lock:
            return list(self._history.get(hook, ()))

    def wait(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is due; returns whether that came true."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            with self._lock:
                if not self._due:
                    return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, due: Future[None]) -> None:
        if not due.cancelled() and due.exception() is not None:
            _log.error("a delivery could not be made: %r", due.exception())
        with self._lock:
            self._due.discard(due)

    def _attempt(self, delivery: Delivery, delay: float) -> None:
        if self._stopped.wait(delay) if delay else self._stopped.is_set():
            return
        status, said = _post(delivery)
        with self._lock:
            kept = self._history.setdefault(delivery.hook, deque(maxlen=KEPT))
            kept.append(replace(delivery, status=status, said=said))


def _post(delivery: Delivery) -> tuple[int, str]:
    """One attempt, whatever comes of it."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                delivery.url,
                data=delivery.body,
                headers=delivery.headers(),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            return answer.status_code, answer.text[:1000]
    except (requests.RequestException, ValueError) as error:
        return 0, type(error).__name__


def shown(deliveries: Iterable[Delivery]) -> list[dict[str, Any]]:
    """Deliveries as the API shows them, without secrets."""
    return [
        {
            "id": each.id,
            "event": each.event,
            "url": each.url,
            "status": each.status,
            "response": each.said,
            "request": json.loads(each.body),
        }
        for each in deliveries
    ]
