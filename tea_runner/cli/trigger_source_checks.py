"""Whether the source of a trigger answers: a stream, or the bucket of a storage; and its last event."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from tea_runner.core.errors import QueueError
from tea_runner.core.events.trigger import Trigger
from tea_runner.present.human_units import ago
from tea_runner.wiring import Site

_PATIENCE = 5.0
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "nats": 4222, "mqtt": 1883}


def check_source(site: Site, trigger: Trigger) -> tuple[Literal["ok", "warning"], str]:
    """Connect to the source of a trigger; the state, and a sentence.

    Nothing is read from it: that is what the process for triggers does, which says what it met.
    """
    shown, place, mend = _source(site, trigger)
    problem = _problem(place)
    if problem:
        return "warning", f"{shown} does not answer: {problem}; {mend}"
    try:
        last = next((e for e in site.events.latest() if e.trigger == trigger.name), None)
    except QueueError:
        return "ok", f"{shown} answers"
    if last is None:
        return "ok", f"{shown} answers; no event yet"
    return "ok", f"{shown} answers; last event {ago(last.received, time.time())}: {last.outcome}"


def _source(site: Site, trigger: Trigger) -> tuple[str, tuple[str, int] | Path, str]:
    """How it is called, where it is, and what to look at when it does not answer."""
    mend = f"start it, or correct url of [[triggers]] {trigger.name}"
    if trigger.kind == "objects":
        mend = f"start it, or correct the [[storage]] {trigger.storage}"
        found = next((s for s in site.settings.storage if s.name == trigger.storage), None)
        options = dict(found.options) if found is not None else {}
        if "directory" in options:
            return f"storage {trigger.storage}", Path(options["directory"]), mend
        host = options.get("host", "s3.amazonaws.com")
        default = "80" if options.get("protocol") == "http" else "443"
        return f"storage {trigger.storage}", _place(host, options.get("port", default)), mend
    if not trigger.url:
        return f"stream {trigger.stream}", ("kinesis.us-east-1.amazonaws.com", 443), mend
    parts = urlsplit(trigger.url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    # A password of the address is not shown.
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return shown, (host, port), mend


def _place(host: str, port: str) -> tuple[str, int]:
    return host, int(port) if port.isdigit() and len(port) < 6 else 443


def _problem(place: tuple[str, int] | Path) -> str:
    if isinstance(place, Path):
        return "" if place.is_dir() else "there is no such folder"
    try:
        with socket.create_connection(place, timeout=_PATIENCE):
            return ""
    except (OSError, OverflowError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
