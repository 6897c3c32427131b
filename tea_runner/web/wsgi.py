"""WSGI application that gunicorn loads, made from the process's environment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask

from tea_runner.settings import Settings, load_settings
from tea_runner.web.access_dependencies import access_dependencies
from tea_runner.web.api.openapi import api_blueprint
from tea_runner.web.app import create_app
from tea_runner.web.metrics import metrics_blueprint
from tea_runner.web.repository_pages import pages_blueprint
from tea_runner.web.sign_in import sign_in_blueprint
from tea_runner.web.web_dependencies import WebDependencies
from tea_runner.wiring import Site

#: Variable with the settings of the command line, which ``tea-runner serve`` sets for gunicorn's processes.
FLAGS = "TEA_RUNNER_SERVE"


def application() -> Flask:
    """Create the application."""
    only, variables = _handed()["only"], _variables()
    settings = current_settings()
    # The forge waits for the response, so a Redis that hangs counts as unreachable.
    site = Site(settings, variables, redis_timeout=0.8)
    # gunicorn quotes requests that it cannot read in its own log.
    site.redact_receiver_logs()
    return create_app(
        WebDependencies(
            settings=settings,
            webhooks=site.webhooks,
            requests=site.plan_requests,
            ready={"redis": site.jobs.problem},
            notes=site.processes.problems,
            count=site.delivery_counts.count,
            serves_webhooks=only != "pages",
            triggers=site,
            blueprints=() if only == "hooks" else _pages(site),
            access=access_dependencies(site),
        )
    )


def current_settings() -> Settings:
    """The settings as they are now.

    :raises SettingsError: when they cannot be read.
    """
    handed = _handed()
    config = Path(handed["config"]) if handed["config"] else None
    return load_settings(file=config, env=_variables(), flags=handed["flags"])


def _handed() -> dict[str, Any]:
    handed: dict[str, Any] = json.loads(
        os.environ.get(FLAGS) or '{"config": null, "flags": {}, "only": null}'
    )
    return handed


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != FLAGS}


def _pages(site: Site) -> tuple[Blueprint, ...]:
    return (
        pages_blueprint(site),
        api_blueprint(site),
        sign_in_blueprint(site),
        metrics_blueprint(site),
    )
