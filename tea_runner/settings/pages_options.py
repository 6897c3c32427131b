"""Settings of the pages and of the API: who sees what."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class PagesOptions:
    """Who sees what on the pages.

    A repository, with its runs, jobs, logs and names of files, is seen by whoever may read it on the forge.
    """

    public: tuple[str, ...] = option(
        (),
        "Repositories that everybody who reaches the pages sees without signing in, as owner/name "
        "patterns, whatever the forge says; */* for all.",
    )
    operators: tuple[str, ...] = option(
        (),
        "Accounts of the forge that may see and do everything on the pages, as the holder of the token "
        "in the file pages.token of the state folder may.",
    )
    oauth_client_id: str = option(
        "",
        "Id of the OAuth2 application on the forge with which people sign in; its redirect URI is "
        "<web.url>/sign-in/callback. Empty: with tokens only.",
    )
    oauth_secret_file: Path | None = option(None, "File with the secret of the OAuth2 application.")
    oauth_authorize_url: str = option(
        "",
        "Where browsers reach the forge's page of consent, if that is not below forge.url. Empty: "
        "<forge.url>/login/oauth/authorize.",
    )
    session: float = option(
        604_800.0, "Time after which one has to sign in again.", unit="seconds", least=60
    )
    passwords: bool = option(
        False,
        "Whether people sign in with user name and password of the forge. For a forge without OAuth2; "
        "tea-runner up sets it for the embedded one.",
    )


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """The metrics, and the details of readiness."""

    token_file: Path | None = option(
        None,
        "File with the token (Authorization: Bearer ...) of whoever reads /metrics and the details of "
        "/readyz, such as Prometheus. Empty: operators only.",
    )
