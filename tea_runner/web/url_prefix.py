"""WSGI middleware: serve the application below a path such as ``/tea``.

The path is that of ``web.url``; no header of a request changes where links lead.  It works whether a
proxy removes the path before it passes a request on, or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class UrlPrefix:
    """The application below a path.

    :param path: with a slash at its beginning and none at its end; empty serves it at ``/``.
    """

    def __init__(self, application: Application, path: str) -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Remove the path from the request, and set SCRIPT_NAME."""
        # RAW_URI is the request target as gunicorn received it; hooks compare it with the path.
        for name in ("PATH_INFO", "RAW_URI") if self._path else ():
            sent = environ.get(name, "")
            if sent == self._path:
                environ[name] = "/"
            elif sent.startswith((self._path + "/", self._path + "?")):
                environ[name] = sent[len(self._path) :]
        environ["SCRIPT_NAME"] = self._path
        return self._application(environ, start_response)
