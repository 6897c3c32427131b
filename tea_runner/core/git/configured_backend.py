"""The annex backend that a dataset's ``.gitattributes`` selects."""

from __future__ import annotations

#: git-annex's default backend (git-annex-backends(1)).
DEFAULT_BACKEND = "SHA256E"


def annex_backend(attributes: bytes) -> str:
    """The backend for all files (pattern ``*`` or ``**``), as DataLad writes it; the last line wins."""
    backend = DEFAULT_BACKEND
    for line in attributes.decode("utf-8", "replace").splitlines():
        pattern, *settings = line.split()[:20] or [""]
        if pattern in ("*", "**"):
            for setting in settings:
                name, _, value = setting.partition("=")
                if name == "annex.backend" and value:
                    backend = value
    return backend
