"""Calls in, answers of Gitea, Forgejo or the embedded forge out; a dozen calls of their API.

API: ``/api/v1`` as Gitea's ``routers/api/v1`` has it; the same in Forgejo.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from tea_runner.core.errors import ForgeError
from tea_runner.core.git import ls_refs
from tea_runner.core.hook import ForgeHook, matches_repository
from tea_runner.forge.link_header import next_page
from tea_runner.ports import StatusState

_CONNECT = 3.0
_TRIES = 4
_BUSY = (429, 502, 503, 504)
#: Gitea gives at most 50 rows at once.
_PAGE = 50
_LONGEST_PAGES = 2000
#: Statuses are shown in one line; forges take more, people do not.
_DESCRIPTION = 255
#: Bytes and seconds that the refs of one repository may take.
_MOST_REFS, _LONGEST_REFS = 64 << 20, 60.0


class GiteaForge:
    """One forge, as one user of it.

    :param token: of the bot; scopes ``write:repository`` and ``read:user``.
    :param ca_file: certificates to trust instead of the system's.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 15.0,
        ca_file: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = (_CONNECT, timeout)
        self._sleep = sleep
        self._session = requests.Session()
        # Neither a proxy nor a .netrc of whoever started us decides where the token goes.
        self._session.trust_env = False
        self._session.verify = ca_file or True
        self._session.headers.update({"Accept": "application/json", "User-Agent": "tea-runner"})
        self._token = token
        if token:
            self._session.headers["Authorization"] = f"token {token}"

    def remote_url(self, repository: str) -> str:
        """Where git finds the repository: below the configured address, whatever a payload says."""
        return f"{self.url}/{quote(repository)}.git"

    def version(self) -> str:
        """What the forge says that it is."""
        return str(self._ask("GET", "/version").json().get("version", ""))

    def whoami(self) -> str:
        """The user whose token this is."""
        return str(self._ask("GET", "/user").json().get("login", ""))

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """The full names that the patterns name and the bot can see."""
        found: set[str] = set()
        broad = [pattern for pattern in patterns if set(pattern) & set("*?[")]
        for pattern in set(patterns) - set(broad):
            answer = self._ask("GET", f"/repos/{_path(pattern)}", allowed=(404,))
            if answer.status_code == 200:
                found.add(str(answer.json()["full_name"]))
        if broad:
            for each in self._pages("/repos/search"):
                name = str(each.get("full_name", ""))
                # Gitea's "empty" lags behind the first push, so it says nothing.
                if any(matches_repository(pattern, name) for pattern in broad):
                    found.add(name)
        return sorted(found)

    def repository_id(self, repository: str) -> int | None:
        """The forge's number of a repository."""
        number = self._ask("GET", f"/repos/{_path(repository)}").json().get("id")
        return number if isinstance(number, int) else None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branches and their tips, which Gitea's API learns a moment after git does."""
        return {
            str(each["name"]): str(each["commit"]["id"])
            for each in self._pages(f"/repos/{_path(repository)}/branches")
        }

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes, asked as git asks, in one request on a connection that is kept.

        None when the answer is not what git would say: whoever asked lets git ask then, which has
        words for what is wrong.
        """
        try:
            with self._session.post(
                f"{self.remote_url(repository)}/git-upload-pack",
                data=ls_refs.ls_refs_request(*prefixes),
                headers=ls_refs.HEADERS,
                # The name says nothing to a forge that is given a token.
                auth=("tea-runner", self._token) if self._token else None,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.status_code >= 500 or answer.status_code in _BUSY:
                    raise ForgeError(
                        f"{self.url}: listing refs of {repository}: {answer.status_code}",
                        answer.status_code,
                    )
                kind = answer.headers.get("Content-Type", "")
                if answer.status_code != 200 or kind != ls_refs.HEADERS["Accept"]:
                    return None
                return ls_refs.parse_ls_refs(self._whole(answer, repository), *prefixes)
        except (requests.RequestException, HTTPError, OSError) as error:
            why = _why(error) if isinstance(error, requests.RequestException) else "broke off"
            raise ForgeError(f"{self.url}: listing refs of {repository}: {why}") from error

    def _whole(self, answer: requests.Response, repository: str) -> bytes:
        """All of an answer, unless it is too long or comes drop by drop."""
        end = time.monotonic() + _LONGEST_REFS
        data = bytearray()
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            data += piece
            if len(data) > _MOST_REFS or time.monotonic() > end:
                raise ForgeError(
                    f"{self.url}: listing refs of {repository}: no end after {len(data)} bytes"
                )
        return bytes(data)

    def set_status(
        self,
        repository: str,
        commit: str,
        state: StatusState,
        *,
        description: str,
        context: str,
        target_url: str = "",
    ) -> None:
        """Say beside a commit how it stands."""
        short = description if len(description) <= _DESCRIPTION else description[:254] + "…"
        said = {"state": state, "description": short, "context": context, "target_url": target_url}
        self._ask("POST", f"/repos/{_path(repository)}/statuses/{commit}", said)

    def statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit; asked once, nothing depends on it."""
        path = f"/repos/{_path(repository)}/commits/{commit}/status"
        said = self._ask("GET", path, tries=1).json()
        return {
            str(each["context"]): (str(each["status"]), str(each["description"]))
            for each in said.get("statuses") or []
        }

    def add_hook(self, repository: str, *, url: str, secret: str) -> str:
        """Make a hook for pushes and deleted branches; an inactive one unless it is said."""
        said = {
            "type": "gitea",
            "active": True,
            "events": ["push", "delete"],
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        made = self._ask("POST", f"/repos/{_path(repository)}/hooks", said).json()
        return str(made["id"])

    def hooks(self, repository: str) -> Sequence[ForgeHook]:
        """The hooks of a repository."""
        return [
            ForgeHook(
                id=str(each["id"]),
                url=str((each.get("config") or {}).get("url", "")),
                active=bool(each.get("active")),
            )
            for each in self._pages(f"/repos/{_path(repository)}/hooks")
        ]

    def test_hook(self, repository: str, hook: str) -> None:
        """Have a delivery sent whose before and after are the same."""
        self._ask("POST", f"/repos/{_path(repository)}/hooks/{quote(hook, safe='')}/tests")

    def remove_hook(self, repository: str, hook: str) -> None:
        """Take a hook away."""
        path = f"/repos/{_path(repository)}/hooks/{quote(hook, safe='')}"
        self._ask("DELETE", path, allowed=(404,))

    def check(self) -> Sequence[str]:
        """Whether the forge answers, and knows us."""
        try:
            self.version()
            self.whoami()
        except ForgeError as error:
            token = error.status in (401, 403)
            look = "; check forge.token_file, and that the token may read:user" if token else ""
            return [f"{error.message}{look}"]
        return []

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        """All rows of a list, following ``Link: …; rel="next"``."""
        query = f"?limit={_PAGE}"
        for _ in range(_LONGEST_PAGES):
            answer = self._ask("GET", f"{path}{query}")
            rows = answer.json()
            if isinstance(rows, dict):
                rows = rows.get("data")
            yield from rows or []
            link = next_page(answer.headers.get("Link", ""))
            if not link or not rows:
                return
            # Only what is asked for is taken from the link; where it is asked stays configured.
            query = f"?{urlsplit(link).query}"
        raise ForgeError(f"{self.url}{path}: the list does not end")

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        allowed: Sequence[int] = (),
        tries: int = 0,
    ) -> requests.Response:
        """One call; a GET is tried again while the forge is busy or silent, unless *tries* is said."""
        tries = tries or (_TRIES if method == "GET" else 1)
        for attempt in range(tries):
            last = attempt == tries - 1
            try:
                answer = self._session.request(
                    method,
                    f"{self.url}/api/v1{path}",
                    json=body,
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                if last:
                    raise ForgeError(f"{self.url}: {_why(error)}; check forge.url") from error
            else:
                if (answer.ok and answer.status_code < 300) or answer.status_code in allowed:
                    return answer
                if last or answer.status_code not in _BUSY:
                    raise ForgeError(
                        f"{self.url}: {method} {path.partition('?')[0]}: {_sentence(answer)}",
                        answer.status_code,
                    )
            self._sleep(random.uniform(0.2, 0.6) * 2**attempt)  # noqa: S311 - not a secret
        raise AssertionError("unreachable")


def _path(repository: str) -> str:
    owner, _, name = repository.partition("/")
    return f"{quote(owner, safe='')}/{quote(name, safe='')}"


def _why(error: requests.RequestException) -> str:
    """A network error in words; the library's own hold memory addresses and class names."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not trusted ({error.args[0]}); see forge.ca_file"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {_CONNECT:g} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        text = str(error)
        for sign, words in (
            ("refused", "nothing listens there"),
            ("Name or service", "there is no such host"),
            ("resolve", "there is no such host"),
            ("unreachable", "the network does not lead there"),
        ):
            if sign in text:
                return words
        return "the connection broke off"
    return f"cannot be asked ({type(error).__name__})"


def _sentence(answer: requests.Response) -> str:
    """What the forge says, with the next step where it is known."""
    try:
        said = answer.json().get("message", "")
    except (ValueError, AttributeError):
        said = ""
    words = str(said).strip().splitlines()[0][:300] if str(said).strip() else "no reason given"
    hints = {
        401: "; the token is not accepted",
        403: "; the token's user or scopes do not allow it: make the user a collaborator with "
        "write, for hooks with admin",
        404: "; there is no such repository, or the token's user cannot see it",
    }
    if 300 <= answer.status_code < 400:
        return f"{answer.status_code}: it has moved; use its new name"
    # Gitea's words for what is not there are names of its functions, but for this one.
    empty = "is empty" in words
    hint = "; push something to it first" if empty else hints.get(answer.status_code, "")
    return f"{answer.status_code}: {words}{hint}"
