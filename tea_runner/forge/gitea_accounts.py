"""Accounts of Gitea, Forgejo and the embedded forge, asked with the accounts' own credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from tea_runner.core.access import AccessLevel
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import ForgeError

_CONNECT = 3.0
_MOVED = (301, 302, 307, 308)
_MOST_REDIRECTS = 3
#: Requests at once for a list of repositories.
_AT_ONCE = 8
_CREDENTIAL = re.compile(r"(token|Bearer|Basic) [A-Za-z0-9._~+/=-]{1,4000}")


class GiteaAccounts:
    """See :class:`tea_runner.ports.ForgeAccounts`.

    :param timeout: seconds to wait for a response.
    :param ca_file: certificates to trust instead of the system's.
    :param proxy: URL of the proxy to use; empty for none.
    """

    #: Field of an account that has its name.
    user_name = "login"

    def __init__(
        self, url: str, *, timeout: float = 15.0, ca_file: str = "", proxy: str = ""
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = (_CONNECT, timeout)
        self._session = requests.Session()
        self._session.trust_env = False
        # A cookie of one account's response must not go with the request of another.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount(self.api_url, HTTPAdapter(pool_maxsize=_AT_ONCE * 2))
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        self._session.verify = ca_file or True
        self._session.headers.update({"Accept": "application/json", "User-Agent": "tea-runner"})

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return f"{self._url}/api/v1"

    def name(self, credential: str) -> str:
        """Login of the credential's account."""
        found = self._ask("/user", credential).get(self.user_name)
        return found if isinstance(found, str) else ""

    def levels(self, credential: str, repositories: Sequence[str]) -> Mapping[str, AccessLevel]:
        """One request for each repository, some at a time."""
        if len(repositories) < 2:
            return {each: self.level(credential, each) for each in repositories}
        with ThreadPoolExecutor(min(_AT_ONCE, len(repositories))) as pool:
            found = pool.map(lambda each: self.level(credential, each), repositories)
            return dict(zip(repositories, found, strict=True))

    def level(self, credential: str, repository: str) -> AccessLevel:
        """What the account may do in one repository."""
        if not is_repository_name(repository):
            return AccessLevel.NONE
        owner, _, name = repository.partition("/")
        about = self._ask(f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}", credential)
        said = about.get("permissions")
        if not isinstance(said, dict) or said.get("pull") is not True:
            return AccessLevel.NONE
        return AccessLevel.WRITE if said.get("push") is True else AccessLevel.READ

    def authorization(self, credential: str) -> str:
        """The header Authorization for a credential."""
        return credential

    def moved_path(self, target: str) -> str:
        """The path in the API of a repository that has moved; empty when *target* is none.

        :param target: path of the address to which the forge redirects.
        """
        _, found, rest = target.partition("/api/v1/repos/")
        return f"/repos/{rest}" if found and is_repository_name(unquote(rest)) else ""

    def _ask(self, path: str, credential: str) -> Mapping[str, Any]:
        """The object that the API returns to this account; empty when it declines."""
        answer = self.response(path, credential)
        return _object(answer) if answer is not None and answer.status_code == 200 else {}

    def response(self, path: str, credential: str) -> requests.Response | None:
        """The response of the API to this account; None for what is no credential.

        :raises ForgeError: when the forge does not answer.
        """
        if not _CREDENTIAL.fullmatch(credential):
            return None
        for _ in range(_MOST_REDIRECTS):
            try:
                answer = self._session.get(
                    f"{self.api_url}{path}",
                    headers={"Authorization": self.authorization(credential)},
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise ForgeError("the forge does not answer") from error
            if answer.status_code in _MOVED:
                # Only the path is used: the host stays the configured one.
                path = self.moved_path(urlsplit(answer.headers.get("Location", "")).path)
                if not path:
                    return None
                continue
            if answer.status_code >= 500 or answer.status_code == 429:
                raise ForgeError("the forge does not answer", answer.status_code)
            return answer
        return None


def _object(answer: requests.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise ForgeError("the forge's answer cannot be read") from error
    return found if isinstance(found, dict) else {}
