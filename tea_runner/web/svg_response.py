"""SVG pictures of our own as files, with a style of their own."""

from __future__ import annotations

import base64
import hashlib

from flask import Response

from tea_runner.present.picture_style import STYLE


def svg_response(picture: str, file: str) -> Response:
    """The picture as a file; its policy allows its own style, and nothing else.

    :param file: name under which a browser saves it; without quotes.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    response = Response(picture, mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; sandbox; frame-ancestors 'none'"
    )
    response.headers["Content-Disposition"] = f'inline; filename="{file}"'
    response.headers["Cache-Control"] = "no-store"
    return response
