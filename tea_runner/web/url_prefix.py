"""An application in, the same application below a path such as ``/tea`` out.

The path is that of ``web.url``: no header of a request decides where links lead.  A proxy may take the
path away before it hands a request on, or leave it; both work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class UrlPrefix:
    """The application as it is seen through its proxy.

    :param path: with a slash at its beginning and none at its end.
    """

    def __init__(self, application: Application, path: str) -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """One request."""
        # RAW_URI is what gunicorn read from the wire; hooks compare it with the path.
        for name in ("PATH_INFO", "RAW_URI"):
            sent = environ.get(name, "")
            if sent == self._path:
                environ[name] = "/"
            elif sent.startswith((self._path + "/", self._path + "?")):
                environ[name] = sent[len(self._path) :]
        environ["SCRIPT_NAME"] = self._path
        return self._application(environ, start_response)
