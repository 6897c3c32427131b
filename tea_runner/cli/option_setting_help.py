"""How the help of an option names its setting: by its name and its variable."""

from __future__ import annotations


def named(setting: str) -> str:
    """``worker.count, TEA_RUNNER_WORKER__COUNT``."""
    return f"{setting}, TEA_RUNNER_{setting.upper().replace('.', '__')}"
