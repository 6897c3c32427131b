"""Settings in, gunicorn's arguments out."""

from __future__ import annotations

from tea_runner.settings import Settings

#: Name of the callable that gunicorn loads; the wiring makes the application from the settings.
APPLICATION = "tea_runner.web.wsgi:application()"


def arguments(settings: Settings, application: str = APPLICATION) -> list[str]:
    """What follows ``gunicorn`` on its command line.

    Threads and at least two processes, and a loop that gathers requests before a thread begins; limits
    on lines and headers that no delivery reaches; processes are replaced now and then.
    """
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    return [
        "--bind",
        f"{host}:{settings.web.port}",
        "--worker-class",
        "tea_runner.web.gunicorn_worker.BufferingThreadWorker",
        "--logger-class",
        "tea_runner.web.gunicorn_log.GunicornLog",
        "--workers",
        str(settings.web.processes),
        "--threads",
        str(settings.web.threads),
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
