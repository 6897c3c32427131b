"""Command line of gunicorn, from the settings; gunicorn also reads this module as its configuration file."""

from __future__ import annotations

import threading

from tea_runner.core.host_and_port import format_address
from tea_runner.settings import Settings

#: The application that gunicorn loads.
APPLICATION = "tea_runner.web.wsgi:application()"
#: Open connections of each process, and files that it may open.
CONNECTIONS = 8000
OPEN_FILES = CONNECTIONS + 1000

#: gunicorn's setting: no header changes the scheme of a request.
secure_scheme_headers: dict[str, str] = {}


def when_ready(server: object) -> None:  # noqa: ARG001 - gunicorn's name and argument
    """Watch the files of the settings: gunicorn's processes are replaced when one of them changes."""
    # Not before gunicorn has had gevent patch the modules that this imports.
    from tea_runner.web.watch_settings import watch_settings

    watch = threading.Thread(target=watch_settings, name="settings", daemon=True)
    watch.start()


def arguments(settings: Settings, application: str = APPLICATION) -> list[str]:
    """Return gunicorn's command line arguments.

    Greenlets, so that slow clients hold no thread (docs/decisions/0013); limits on request lines and
    headers that no delivery reaches; processes are replaced after some thousand requests.
    ``--keep-alive`` is also the time limit for the head of a request.  No header changes the path or the
    user of a request, whoever sends it: a proxy's place is said in ``web.url``.
    """
    return [
        "--config",
        f"python:{__name__}",
        "--forwarder-headers",
        "",
        "--forwarded-allow-ips",
        "",
        "--header-map",
        "drop",
        "--bind",
        format_address(settings.web.host, settings.web.port),
        "--worker-class",
        "gevent",
        "--worker-connections",
        str(CONNECTIONS),
        "--logger-class",
        "tea_runner.web.gunicorn_log.GunicornLog",
        "--workers",
        str(settings.web.processes),
        "--timeout",
        "30",
        "--graceful-timeout",
        "20",
        "--keep-alive",
        "5",
        "--limit-request-line",
        "2048",
        "--limit-request-fields",
        "50",
        "--limit-request-field_size",
        "4096",
        "--max-requests",
        "10000",
        "--max-requests-jitter",
        "1000",
        "--no-control-socket",
        application,
    ]
