"""Client of Gitea, Forgejo and the embedded forge.

API: ``/api/v1`` as in Gitea's ``routers/api/v1``; the same in Forgejo.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from tea_runner.core.audience import Audience
from tea_runner.core.errors import ForgeError
from tea_runner.core.git import ls_refs
from tea_runner.core.git.branch_protection import BranchProtection
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.registered_webhook import (
    ListedWebhook,
    is_repository_name,
    matches_repository,
)
from tea_runner.forge import gitea_permissions
from tea_runner.forge.link_header import next_page
from tea_runner.ports import CommitStatusState

_CONNECT = 3.0
_TRIES = 4
_BUSY = (429, 502, 503, 504)
#: A repository that was renamed or moved to another owner.
_MOVED = (301, 302, 307, 308)
_MOST_REDIRECTS = 3
#: Rows of a page; Gitea's MAX_RESPONSE_ITEMS.
_PAGE = 50
_LONGEST_PAGES = 2000
_MOST_PULL_REQUESTS = 200
#: Characters of a status description, which is shown in one line.
_DESCRIPTION = 255
#: Limits of the list of one repository's refs, in bytes and seconds.
_MOST_REFS, _LONGEST_REFS = 64 << 20, 60.0


class GiteaForge:
    """Client of one forge as one user; every method raises ForgeError when a call fails.

    :param token: access token of the bot; scopes ``write:repository`` and ``read:user``.
    :param timeout: seconds to wait for a response.
    :param ca_file: certificates to trust instead of the system's.
    :param proxy: URL of the proxy to use; empty for none.
    """

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
        self._timeout = (_CONNECT, timeout)
        self._sleep = sleep
        self._session = requests.Session()
        # No .netrc of the environment: the token goes to this forge only.
        self._session.trust_env = False
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        self._session.verify = ca_file or True
        self._session.headers.update({"Accept": "application/json", "User-Agent": "tea-runner"})
        self._token = token
        if token:
            self._session.headers["Authorization"] = f"token {token}"

    def remote_url(self, repository: str) -> str:
        """The URL from which git clones, below the configured URL; those of payloads are not used."""
        return f"{self.url}/{quote(repository)}.git"

    def version(self) -> str:
        """Version of the forge."""
        return str(self._ask("GET", "/version").json().get("version", ""))

    def whoami(self) -> str:
        """Name of the token's user."""
        return str(self._ask("GET", "/user").json().get("login", ""))

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """Full names that match one of the patterns and that the bot can see, sorted."""
        found: set[str] = set()
        broad = [pattern for pattern in patterns if set(pattern) & set("*?[")]
        for pattern in set(patterns) - set(broad):
            answer = self._ask("GET", f"/repos/{_path(pattern)}", allowed=(404,))
            if answer.status_code == 200:
                found.add(str(answer.json()["full_name"]))
        if broad:
            for each in self._pages("/repos/search"):
                name = str(each.get("full_name", ""))
                # Gitea sets "empty" some time after the first push, so it is not used.
                if any(matches_repository(pattern, name) for pattern in broad):
                    found.add(name)
        return sorted(found)

    def repository_id(self, repository: str) -> int | None:
        """The forge's id of a repository."""
        number = self._ask("GET", f"/repos/{_path(repository)}").json().get("id")
        return number if isinstance(number, int) else None

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """See :class:`tea_runner.ports.Forge`: of a former name, the forge redirects to the new one."""
        answer = self._ask("GET", f"/repos/{_path(repository)}", allowed=_MOVED)
        for _ in range(_MOST_REDIRECTS):
            if answer.status_code not in _MOVED:
                break
            # Only the path is used: the host stays the configured one.
            path = urlsplit(answer.headers.get("Location", "")).path
            _, found, rest = path.partition("/api/v1/repos/")
            if not found or not is_repository_name(unquote(rest)):
                break
            answer = self._ask("GET", f"/repos/{rest}", allowed=_MOVED)
        if answer.status_code in _MOVED:
            raise ForgeError(f"{self.url}: {repository}: {_sentence(answer)}", answer.status_code)
        fields = answer.json()
        number = fields.get("id")
        return str(fields.get("full_name", "")), number if isinstance(number, int) else None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits; Gitea's API shows a push a moment after git does."""
        return {
            str(each["name"]): str(each["commit"]["id"])
            for each in self._pages(f"/repos/{_path(repository)}/branches")
        }

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes, by git's protocol v2 (``ls-refs``) in one request.

        None when the response is not that of git's protocol: the caller then runs git, whose error
        message names the problem.
        """
        try:
            with self._session.post(
                f"{self.remote_url(repository)}/git-upload-pack",
                data=ls_refs.ls_refs_request(*prefixes),
                headers=ls_refs.HEADERS,
                # With a token the forge ignores the user name.
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
            why = _why(error) if isinstance(error, requests.RequestException) else "connection lost"
            raise ForgeError(f"{self.url}: listing refs of {repository}: {why}") from error

    def _whole(self, answer: requests.Response, repository: str) -> bytes:
        """Read a whole response, within limits of size and time."""
        end = time.monotonic() + _LONGEST_REFS
        data = bytearray()
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            data += piece
            if len(data) > _MOST_REFS or time.monotonic() > end:
                raise ForgeError(
                    f"{self.url}: listing refs of {repository}: the list does not end after {len(data)} bytes"
                )
        return bytes(data)

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches and which of them Gitea's rules protect, as it says itself."""
        path = f"/repos/{_path(repository)}"
        about = self._ask("GET", path).json()
        try:
            branches = list(self._pages(f"{path}/branches"))
        except ForgeError as error:
            # "repository is empty", also for a moment after the first push.
            if error.response_status not in (404, 409):
                raise
            branches = []
        rules: list[dict[str, Any]] = []
        if any(each.get("protected") for each in branches):
            answer = self._ask("GET", f"{path}/branch_protections", allowed=(403, 404))
            rules = answer.json() if answer.status_code == 200 else []
        return gitea_permissions.parse_protection(
            about, branches, gitea_permissions.open_rules(rules)
        )

    def audience(self, repository: str) -> Audience:
        """Visibility, and for repositories that are not open to all users, collaborators and teams."""
        path = f"/repos/{_path(repository)}"

        def teams() -> list[dict[str, Any]] | None:
            # 405: the owner is no organization.
            answer = self._ask("GET", f"{path}/teams", allowed=(405,))
            return list(answer.json()) if answer.status_code == 200 else None

        about = self._ask("GET", path).json()
        if gitea_permissions.visibility(about) in ("public", "users"):
            return gitea_permissions.parse_audience(about, list, list, "")
        return gitea_permissions.parse_audience(
            about, lambda: self._pages(f"{path}/collaborators"), teams, self.whoami()
        )

    def pull_requests(self, repository: str) -> Sequence[ListedPullRequest]:
        """Open pull requests; the embedded forge has none."""
        path = f"/repos/{_path(repository)}/pulls"
        if self._ask("GET", f"{path}?limit=1", allowed=(404,)).status_code == 404:
            self.repository_id(repository)  # raises where there is no repository
            return []
        rows = itertools.islice(self._pages(path, state="open"), _MOST_PULL_REQUESTS)
        return [gitea_permissions.parse_pull_request(row) for row in rows]

    def set_commit_status(
        self,
        repository: str,
        commit: str,
        state: CommitStatusState,
        *,
        description: str,
        context: str,
        target_url: str = "",
    ) -> None:
        """Set a commit status."""
        short = description if len(description) <= _DESCRIPTION else description[:254] + "…"
        status = {
            "state": state,
            "description": short,
            "context": context,
            "target_url": target_url,
        }
        self._ask("POST", f"/repos/{_path(repository)}/statuses/{commit}", status)

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit's statuses; not tried again."""
        path = f"/repos/{_path(repository)}/commits/{commit}/status"
        combined = self._ask("GET", path, tries=1).json()
        return {
            str(each["context"]): (str(each["status"]), str(each["description"]))
            for each in combined.get("statuses") or []
        }

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Create an active webhook for pushes and deleted branches; return its id."""
        hook = {
            "type": "gitea",
            "active": True,
            "events": ["push", "delete"],
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        made = self._ask("POST", f"/repos/{_path(repository)}/hooks", hook).json()
        return str(made["id"])

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The webhooks of a repository."""
        return [
            ListedWebhook(
                id=str(each["id"]),
                url=str((each.get("config") or {}).get("url", "")),
                active=bool(each.get("active")),
            )
            for each in self._pages(f"/repos/{_path(repository)}/hooks")
        ]

    def test_webhook(self, repository: str, hook: str) -> None:
        """Let the forge send a test delivery, whose before and after are equal."""
        self._ask("POST", f"/repos/{_path(repository)}/hooks/{quote(hook, safe='')}/tests")

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Delete a webhook; one that does not exist is no error."""
        path = f"/repos/{_path(repository)}/hooks/{quote(hook, safe='')}"
        self._ask("DELETE", path, allowed=(404,))

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

    def _pages(self, path: str, **fields: str) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, page by page (``Link: …; rel="next"``)."""
        query = f"?{urlencode({'limit': _PAGE, **fields})}"
        for _ in range(_LONGEST_PAGES):
            answer = self._ask("GET", f"{path}{query}")
            rows = answer.json()
            if isinstance(rows, dict):
                rows = rows.get("data")
            yield from rows or []
            link = next_page(answer.headers.get("Link", ""))
            if not link or not rows:
                return
            # Only the query of the link is used; host and path stay the configured ones.
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
        """Make one call; a GET is tried again while the forge is busy or does not respond.

        :param allowed: further statuses that are not errors.
        :param tries: 0 for the default of the method.
        """
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
                    raise ForgeError(
                        f"{self.url}: {_why(error)}", hint="check forge.url"
                    ) from error
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


def _sentence(answer: requests.Response) -> str:
    """Status and message of a response, with the next step where it is known."""
    try:
        message = str(answer.json().get("message", "")).strip()
    except (ValueError, AttributeError):
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
