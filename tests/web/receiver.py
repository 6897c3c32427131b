"""The receiver as gunicorn loads it in tests; plan requests are lines of a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask

from tea_runner.forge.hook_store import HookStore
from tea_runner.settings import load_settings
from tea_runner.web.app import WebDependencies, create_app


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
            hooks=HookStore(state / "hooks"),
            requests=Lines(state / "asked"),
            ready={"queue": lambda: "" if (state / "up").exists() else "the queue is down"},
        )
    )


def application() -> Flask:
    """What the command line of gunicorn names."""
    return make(Path(os.environ["TEST_STATE"]))
