"""Checks of the sign-in on the pages."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.cli.installation_checks import Finding
from tea_runner.core.errors import TeaError
from tea_runner.wiring import Site


def check_sign_in(site: Site) -> Iterator[Finding]:
    """Check the OAuth2 application on the forge, where one is set, and the file of the metrics' token."""
    try:
        wrong = site.sign_in.check() if site.sign_in is not None else ""
        site.metrics_token  # noqa: B018 - reads its file
    except TeaError as error:
        wrong = error.message
    if wrong:
        yield Finding("sign-in", "error", wrong)
    elif site.sign_in is not None:
        yield Finding("sign-in", "ok", f"with accounts of {site.settings.forge.url}")
