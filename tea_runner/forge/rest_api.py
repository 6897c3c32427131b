"""Calls to the API of a forge: authentication, pages of lists, retries, and errors as sentences."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from tea_runner.core.errors import ForgeError
from tea_runner.forge.link_header import next_page

_CONNECT = 3.0
_TRIES = 4
#: Statuses of a forge that is busy, or whose proxy does not reach it.
BUSY = (429, 502, 503, 504)
#: Rows of a page; Gitea's MAX_RESPONSE_ITEMS, and less than the limits of the others.
_PAGE = 50
_LONGEST_PAGES = 2000


class RestApi:
    """The API of one forge for one user; every method raises ForgeError when a call fails.

    :param token: access token of the bot; scopes ``write:repository``, ``write:issue`` and ``read:user``.
    :param timeout: seconds to wait for a response.
    :param ca_file: certificates to trust instead of the system's.
    :param proxy: URL of the proxy to use; empty for none.
    """

    #: Name of the program, for messages.
    program = "Gitea"
    #: Parameter of lists that has the number of rows of a page.
    rows_parameter = "limit"
    #: Word before the token in the header Authorization.
    scheme = "token"

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 15.0,
        ca_file: str = "",
        proxy: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout = (_CONNECT, timeout)
        self._sleep = sleep
        self.session = requests.Session()
        # No .netrc of the environment: the token goes to this forge only.
        self.session.trust_env = False
        if proxy:
            self.session.proxies = {"http": proxy, "https": proxy}
        self.session.verify = ca_file or True
        self.session.headers.update({"Accept": "application/json", "User-Agent": "tea-runner"})
        self.token = token
        if token:
            self.session.headers["Authorization"] = f"{self.scheme} {token}"

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return f"{self.url}/api/v1"

    def whoami(self) -> str:
        """Name of the token's user."""
        return str(self.fields(self.ask("GET", "/user")).get("login", ""))

    def pages(self, path: str, **fields: str) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, page by page (``Link: …; rel="next"``)."""
        query = f"?{urlencode({self.rows_parameter: _PAGE, **fields})}"
        for _ in range(_LONGEST_PAGES):
            answer = self.ask("GET", f"{path}{query}")
            rows = self.rows(answer)
            yield from rows
            link = next_page(answer.headers.get("Link", ""))
            if not link or not rows:
                return
            # Only the query of the link is used; host and path stay the configured ones.
            query = f"?{urlsplit(link).query}"
        raise ForgeError(f"{self.url}{path}: the list does not end")

    def fields(self, answer: requests.Response) -> dict[str, Any]:
        """The JSON object of a response.

        :raises ForgeError: when it is none: a proxy or another program may answer in place of the forge.
        """
        found = self._parsed(answer)
        if not isinstance(found, dict):
            raise self.strange(answer)
        return found

    def rows(self, answer: requests.Response) -> list[dict[str, Any]]:
        """The list of JSON objects of a response, also of one that has it as ``data``, or null.

        :raises ForgeError: as of :meth:`fields`.
        """
        found = self._parsed(answer)
        found = found.get("data") if isinstance(found, dict) else found
        if not isinstance(found or [], list) or not all(
            isinstance(row, dict) for row in found or []
        ):
            raise self.strange(answer)
        return found or []

    def _parsed(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise self.strange(answer) from error

    def strange(self, answer: requests.Response) -> ForgeError:
        """The error for a response that is none of the API."""
        path = urlsplit(answer.url or "").path
        return ForgeError(
            f"{self.url}: {path}: the answer is none of {self.program}'s API",
            answer.status_code,
            hint="check forge.url; a proxy that asks for a login may answer in place of the forge",
        )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        allowed: Sequence[int] = (),
        tries: int = 0,
    ) -> requests.Response:
        """Make one call; a GET is tried again while the forge is busy or does not respond.

        :param allowed: further statuses that are not errors.
        :param tries: 0 for the default of the method.
        """
        tries = tries or (_TRIES if method == "GET" else 1)
        for attempt in range(tries):
            last = attempt == tries - 1
            try:
                answer = self.session.request(
                    method,
                    f"{self.api_url}{path}",
                    json=body,
                    timeout=self.timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                if last:
                    raise ForgeError(
                        f"{self.url}: {network_error(error)}", hint="check forge.url"
                    ) from error
            else:
                if (answer.ok and answer.status_code < 300) or answer.status_code in allowed:
                    return answer
                if last or answer.status_code not in BUSY:
                    raise self.refusal(method, path, answer)
            self._sleep(random.uniform(0.2, 0.6) * 2**attempt)  # noqa: S311 - not a secret
        raise AssertionError("unreachable")

    def refusal(self, method: str, path: str, answer: requests.Response) -> ForgeError:
        """The error for a response that says why the forge declines."""
        return ForgeError(
            f"{self.url}: {method} {path.partition('?')[0]}: {error_sentence(answer)}",
            answer.status_code,
        )

    def version(self) -> str:
        """Version of the forge; empty where it does not tell."""
        return str(self.fields(self.ask("GET", "/version")).get("version", ""))

    def check(self) -> Sequence[str]:
        """Problems of the connection, empty when the forge answers and accepts the token."""
        try:
            self.version()
            self.whoami()
        except ForgeError as error:
            token = error.response_status in (401, 403)
            look = "; check forge.token_file, and that the token may read:user" if token else ""
            return [f"{error.message}{look}"]
        return []


def repository_path(repository: str) -> str:
    """``owner/name`` as part of a URL."""
    owner, _, name = repository.partition("/")
    return f"{quote(owner, safe='')}/{quote(name, safe='')}"


def shortened(text: str, most: int) -> str:
    """The text with at most so many characters, for fields whose length a forge limits."""
    return text if len(text) <= most else text[: most - 1] + "…"


def network_error(error: requests.RequestException) -> str:
    """Describe a network error; the messages of requests contain memory addresses and class names."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not trusted ({error.args[0]}); see forge.ca_file"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {_CONNECT:g} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        text = str(error)
        for sign, words in (
            ("refused", "connection refused"),
            ("Name or service", "unknown host"),
            ("resolve", "unknown host"),
            ("unreachable", "network unreachable"),
        ):
            if sign in text:
                return words
        return "connection lost"
    return f"request failed ({type(error).__name__})"


def error_sentence(answer: requests.Response) -> str:
    """Status and message of a response, with the next step where it is known."""
    try:
        said = answer.json()
        # Bitbucket has a list of errors; GitLab has "error" for some.
        message = str(
            said.get("message")
            or said.get("error")
            or (said.get("errors") or [{}])[0].get("message", "")
        ).strip()
    except (ValueError, AttributeError, LookupError, TypeError):
        message = ""
    words = message.splitlines()[0][:300] if message else "no reason given"
    hints = {
        401: "; the token is not accepted",
        403: "; the token's user or scopes do not allow it: make the user a collaborator with "
        "write, for hooks with admin",
        404: "; the repository does not exist, or the token's user cannot see it",
    }
    if 300 <= answer.status_code < 400:
        return f"{answer.status_code}: the repository has moved; use its new name"
    # Other messages of Gitea for missing things are names of its functions.
    empty = "is empty" in words
    hint = "; push something to it first" if empty else hints.get(answer.status_code, "")
    return f"{answer.status_code}: {words}{hint}"
