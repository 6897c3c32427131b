"""The receiver as gunicorn loads it in tests; plan requests are lines of a file, and a log can be read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Flask, Response

from tea_runner.core.access import Requirement
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.settings import load_settings
from tea_runner.web import client_deadlines
from tea_runner.web.app import WebDependencies, create_app
from tea_runner.web.route_requirements import REQUIREMENTS
from tests.twins.accounts import memory_access


class Lines:
    """Keeps plan requests as lines, so that another process can read them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as written:
            written.write(json.dumps([repository, ref, why]) + "\n")

    def asked(self) -> list[list[str]]:
        """What was asked for so far."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


def make(state: Path) -> Flask:
    """An application that keeps everything below one folder."""
    settings = load_settings(
        file=None,
        env={
            "TEA_RUNNER_STATE": str(state),
            "TEA_RUNNER_BRANCHES": "main,feature/*",
            "TEA_RUNNER_WEB__MAX_BODY": "40 MiB",
        },
        flags={},
    )
    return create_app(
        WebDependencies(
            settings=settings,
            blueprints=(_streams(state),),
            access=memory_access(),
            requirements={
                **REQUIREMENTS,
                "streams.log": Requirement.NOTHING,
                "streams.events": Requirement.NOTHING,
            },
            webhooks=WebhookStore(state / "hooks"),
            requests=Lines(state / "asked"),
            ready={"queue": lambda: "" if (state / "up").exists() else "the queue is down"},
        )
    )


def _streams(state: Path) -> Blueprint:
    """A large log in parts, as a job's page sends it, and a stream of events."""
    routes = Blueprint("streams", __name__)

    @routes.get("/log")
    def log() -> Response:
        def parts() -> Iterator[bytes]:
            with (state / "large.log").open("rb") as opened:
                while part := opened.read(1 << 16):
                    yield part

        return Response(parts(), mimetype="text/plain")

    @routes.get("/events")
    def events() -> Response:
        def one_a_second() -> Iterator[str]:
            while True:
                yield "data: {}\n\n"
                time.sleep(1)

        return Response(one_a_second(), mimetype="text/event-stream")

    return routes


def application() -> Flask:
    """The application that gunicorn's command line names."""
    client_deadlines.PART_SECONDS = float(os.environ.get("TEST_PART_SECONDS", "30"))
    return make(Path(os.environ["TEST_STATE"]))
