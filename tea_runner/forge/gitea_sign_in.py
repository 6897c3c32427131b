"""Sign-in with the accounts of Gitea and Forgejo: OAuth2 with authorization code, state and PKCE."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from tea_runner.core.errors import ForgeError
from tea_runner.ports import Grant, SignInRequest

#: What the forge tells this server about the account, and nothing that changes anything.
SCOPES = "read:user read:repository"
_CONNECT = 3.0


class GiteaSignIn:
    """See :class:`tea_runner.ports.ForgeSignIn`.

    :param url: of the forge, as this server reaches it.
    :param client_id: of the OAuth2 application on the forge.
    :param redirect_uri: where the forge sends people back to; the application lists it.
    :param authorize_url: where browsers reach the forge's page of consent; empty for below *url*.
    :param timeout: seconds to wait for a response.
    :param ca_file: certificates to trust instead of the system's.
    :param proxy: URL of the proxy to use; empty for none.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        *,
        authorize_url: str = "",
        timeout: float = 15.0,
        ca_file: str = "",
        proxy: str = "",
    ) -> None:
        self._token_url = f"{url.rstrip('/')}/login/oauth/access_token"
        self._authorize_url = authorize_url or f"{url.rstrip('/')}/login/oauth/authorize"
        self._application = (client_id, client_secret)
        self._redirect_uri = redirect_uri
        self._network = {"verify": ca_file or True, "timeout": (_CONNECT, timeout)}
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}

    def begin(self) -> SignInRequest:
        """See :class:`tea_runner.ports.ForgeSignIn`."""
        verifier = secrets.token_urlsafe(48)
        with self._session() as session:
            url, state = session.create_authorization_url(
                self._authorize_url, code_verifier=verifier
            )
        return SignInRequest(url=str(url), state=str(state), verifier=verifier)

    def finish(self, code: str, verifier: str) -> Grant | None:
        """See :class:`tea_runner.ports.ForgeSignIn`."""
        try:
            return _grant(self._fetch(code, verifier))
        except OAuthError:
            return None

    def renew(self, refresh: str) -> Grant | None:
        """See :class:`tea_runner.ports.ForgeSignIn`."""

        def fetch(session: Any) -> Mapping[str, Any]:
            found: Mapping[str, Any] = session.refresh_token(
                self._token_url, refresh_token=refresh, allow_redirects=False, **self._network
            )
            return found

        try:
            return _grant(self._call(fetch))
        except OAuthError:
            return None

    def check(self) -> str:
        """The forge names what it does not accept before it looks at the code."""
        try:
            self._fetch("no-code-of-this-forge", secrets.token_urlsafe(48))
        except ForgeError as error:
            return error.message
        except OAuthError as error:
            said = f"{error.error}: {error.description}"
            if error.error == "invalid_client":
                return (
                    f"the forge does not know the application ({said}); check pages.oauth_client_id"
                )
            if "secret" in said:
                return (
                    f"the forge does not accept the secret ({said}); check pages.oauth_secret_file"
                )
            if "redirect" in said.lower():
                return f"the application does not list {self._redirect_uri} ({said}); add it on the forge"
        return ""

    def _fetch(self, code: str, verifier: str) -> Mapping[str, Any]:
        def fetch(session: Any) -> Mapping[str, Any]:
            found: Mapping[str, Any] = session.fetch_token(
                self._token_url,
                code=code,
                code_verifier=verifier,
                allow_redirects=False,
                **self._network,
            )
            return found

        return self._call(fetch)

    def _call(self, fetch: Any) -> Mapping[str, Any]:
        """Ask the forge for a token.

        :raises OAuthError: when it declines.
        :raises ForgeError: when it does not answer.
        """
        try:
            with self._session() as session:
                found: Mapping[str, Any] = fetch(session)
                return found
        except (requests.RequestException, ValueError) as error:
            raise ForgeError("the forge does not answer the sign-in") from error

    def _session(self) -> Any:
        client_id, client_secret = self._application
        session = OAuth2Session(
            client_id,
            client_secret,
            scope=SCOPES,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
        )
        session.trust_env = False
        session.proxies = self._proxies
        return session


def _grant(token: Mapping[str, Any]) -> Grant | None:
    access = token.get("access_token")
    if not isinstance(access, str) or not access:
        return None
    refresh, seconds = token.get("refresh_token"), token.get("expires_in")
    return Grant(
        credential=f"Bearer {access}",
        refresh=refresh if isinstance(refresh, str) else "",
        expires=time.time() + seconds if isinstance(seconds, int) else 0.0,
    )
