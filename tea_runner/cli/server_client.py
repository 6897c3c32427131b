"""Client of the API of a server on another computer, for verbs that need no Redis then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from tea_runner.core.errors import NotFound, OutsideError, Refused, UsageError, UserError

_TIMEOUT = (5.0, 60.0)
#: Variables with the token, or with the file that it is in.
TOKEN, TOKEN_FILE = "TEA_RUNNER_SERVER_TOKEN", "TEA_RUNNER_SERVER_TOKEN_FILE"


class ServerClient:
    """A server, asked with a token of the forge.

    :param url: of its pages.
    :raises UsageError: when it is no URL, or the variables have no token.
    """

    def __init__(self, url: str, variables: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--server {url}: expected a URL such as https://tea.example.org")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {_token(variables)}"
        # The token goes to this server only, not what a .netrc says of it.
        self._session.trust_env = False
        self._session.proxies = dict(requests.utils.get_environ_proxies(self.url))

    def get(self, *path: str, **query: object) -> Any:
        """A document of the API.

        :raises NotFound: when there is no such thing, or the token's account may not read it.
        :raises Refused: when the token is not accepted.
        :raises OutsideError: when the server does not answer.
        """
        return self._ask("GET", path, query=query).json()

    def post(self, *path: str, body: object = None) -> Any:
        """Have the server do something; errors as of :meth:`get`."""
        return self._ask("POST", path, body=body).json()

    def log(self, job: str, start: int = 0) -> bytes:
        """The log of a job from this byte on; errors as of :meth:`get`."""
        answer = self._ask("GET", ("jobs", job, "log"), headers={"Range": f"bytes={start}-"})
        return answer.content if answer.status_code == 206 else b""

    def events(self, *path: str, start: int) -> Iterator[tuple[str, str, str]]:
        """Name, data and id of each server-sent event of ours, until the connection ends.

        Each has one line of data.

        :param start: what the server is told as the last id.
        :raises TeaError: as of :meth:`get`, when there is no connection at first.
        """
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(start)}
        with self._ask("GET", path, headers=headers, stream=True) as answer:
            name = data = place = ""
            with contextlib.suppress(requests.RequestException):
                for line in answer.iter_lines(chunk_size=1):
                    field, _, value = line.decode("utf-8", "replace").partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        data = value
                    elif field == "id":
                        place = value
                    elif not line and name:
                        yield name, data, place
                        name = data = place = ""

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        address = "/".join(quote(part, safe="") for part in path)
        try:
            answer = self._session.request(
                method,
                f"{self.url}/api/v1/{address}",
                params={name: _texts(value) for name, value in (query or {}).items()},
                json=body,
                headers=dict(headers or {}),
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=stream,
            )
        except requests.RequestException as error:
            raise OutsideError(
                f"the server {self.url} does not answer", hint="check --server"
            ) from error
        if (answer.ok and answer.status_code < 300) or answer.status_code == 416:
            return answer
        raise _error(answer, self.url)


def _texts(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, (list, tuple)) else [str(value)]


def _token(variables: Mapping[str, str]) -> str:
    if variables.get(TOKEN):
        return variables[TOKEN].strip()
    file = variables.get(TOKEN_FILE, "")
    if not file:
        raise UsageError(
            f"--server needs a token of the forge, and {TOKEN_FILE} is not set",
            hint="make one there (read:user, read:repository) and write it to a file",
        )
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{TOKEN_FILE} = {file}: cannot be read") from error


def _error(answer: requests.Response, url: str) -> Exception:
    try:
        sentence = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        sentence = f"the server answers {answer.status_code}"
    if answer.status_code == 404:
        return NotFound(sentence)
    if answer.status_code in (401, 403):
        return Refused(f"{url} does not accept the token", hint=f"see {TOKEN_FILE}")
    if answer.status_code < 500:
        return UserError(sentence)
    return OutsideError(f"{url}: {sentence}")
