"""Pull requests of Bitbucket Data Center, and the bot's comments on them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote, unquote, urlencode

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.forge.rest_api import RestApi

_ROWS = 50
_LONGEST_PAGES = 2000
_MOST_PULL_REQUESTS = 200
_STATES: Mapping[object, Literal["open", "merged"]] = {"OPEN": "open", "MERGED": "merged"}


class BitbucketPullRequests(RestApi):
    """See :class:`tea_runner.ports.Forge`."""

    program = "Bitbucket"
    scheme = "Bearer"
    pull_refs = "refs/pull-requests/*/from"

    @property
    def api_url(self) -> str:
        """URL below which the paths of the APIs are."""
        return f"{self.url}/rest"

    def pages(self, path: str, **fields: str) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, page by page (``nextPageStart``)."""
        start = 0
        for _ in range(_LONGEST_PAGES):
            query = urlencode({"limit": _ROWS, "start": start, **fields})
            answer = self.ask("GET", f"{path}?{query}")
            page = self.fields(answer)
            rows, following = page.get("values"), page.get("nextPageStart")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise self.strange(answer)
            yield from rows
            if page.get("isLastPage") is not False or not rows:
                return
            if not isinstance(following, int) or following <= start:
                raise self.strange(answer)
            start = following
        raise ForgeError(f"{self.url}{path}: the list does not end")

    def whoami(self) -> str:
        """Name of the token's user, which is a header of all responses."""
        answer = self.ask("GET", "/api/1.0/users?limit=1")
        return unquote(answer.headers.get("X-AUSERNAME", ""))

    @cached_property
    def _user(self) -> str:
        return self.whoami()

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """Open pull requests, or merged and declined ones."""
        path = f"{repository_api(repository)}/pull-requests"
        if not closed:
            rows = self.pages(path, state="OPEN", order="NEWEST")
        else:
            ended = (
                self.pages(path, state=state, order="NEWEST") for state in ("MERGED", "DECLINED")
            )
            rows = heapq.merge(
                *ended, key=lambda row: int(row.get("updatedDate") or 0), reverse=True
            )
        return [self._parse(row) for row in itertools.islice(rows, _MOST_PULL_REQUESTS)]

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """One pull request, open or not."""
        row = self._row(repository, number)
        return None if row is None else self._parse(row)

    def _row(self, repository: str, number: int) -> dict[str, Any] | None:
        path = repository_api(repository)
        answer = self.ask("GET", f"{path}/pull-requests/{number}", allowed=(404,))
        if answer.status_code == 404:
            # Raises where there is no repository.
            self.ask("GET", path)
            return None
        return self.fields(answer)

    def open_pull_request(
        self, repository: str, *, head: str, base: str, title: str, text: str
    ) -> ListedPullRequest | None:
        """Open a pull request of a branch of the repository."""
        fields = {
            "title": title,
            "description": text,
            "fromRef": {"id": f"refs/heads/{head}"},
            "toRef": {"id": f"refs/heads/{base}"},
        }
        answer = self.ask("POST", f"{repository_api(repository)}/pull-requests", fields)
        return self._parse(self.fields(answer))

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Replace title and text of a pull request; closing is declining it."""
        row = self._row(repository, number)
        if row is None:
            raise ForgeError(f"{repository} has no pull request {number}", 404)
        path = f"{repository_api(repository)}/pull-requests/{number}"
        # Whoever is not named stops to be a reviewer.
        fields = {
            "version": row.get("version"),
            "title": title,
            "description": text,
            "reviewers": row.get("reviewers") or [],
        }
        edited = self.fields(self.ask("PUT", path, fields))
        if close:
            self.ask("POST", f"{path}/decline?version={int(edited.get('version') or 0)}", {})

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """See :class:`tea_runner.ports.Forge`: the comment is found by its marker and its author."""
        path = f"{repository_api(repository)}/pull-requests/{number}"
        there = self._comment(path, comment) if comment.isdecimal() else None
        there = there or self._own_comment(path, marker)
        if there:
            fields = {"text": text, "version": there.get("version")}
            self.ask("PUT", f"{path}/comments/{int(there['id'])}", fields)
            return str(there["id"])
        return str(self.fields(self.ask("POST", f"{path}/comments", {"text": text}))["id"])

    def _comment(self, path: str, comment: str) -> dict[str, Any] | None:
        answer = self.ask("GET", f"{path}/comments/{comment}", allowed=(404,))
        return self.fields(answer) if answer.status_code == 200 else None

    def _own_comment(self, path: str, marker: str) -> dict[str, Any] | None:
        for row in self.pages(f"{path}/activities"):
            said = row.get("comment")
            if row.get("action") != "COMMENTED" or not isinstance(said, dict):
                continue
            author = (said.get("author") or {}).get("name")
            if author == self._user and str(said.get("text") or "").startswith(marker):
                return said
        return None

    def _parse(self, row: Mapping[str, Any]) -> ListedPullRequest:
        """A pull request in an answer of the API."""
        head, base = row.get("fromRef") or {}, row.get("toRef") or {}
        author = str(((row.get("author") or {}).get("user") or {}).get("name") or "")
        links = (row.get("links") or {}).get("self") or [{}]
        return ListedPullRequest(
            number=int(row["id"]),
            title=str(row.get("title") or ""),
            author=author,
            url=str(links[0].get("href") or ""),
            text=str(row.get("description") or ""),
            commit=str(head.get("latestCommit") or ""),
            branch=str(head.get("id") or "").removeprefix("refs/heads/"),
            source=full_name(head.get("repository") or {}),
            target=str(base.get("id") or "").removeprefix("refs/heads/"),
            own=author == self._user,
            state=_STATES.get(row.get("state"), "closed"),
        )


def full_name(repository: Mapping[str, Any]) -> str:
    """``KEY/slug`` of a repository in an answer of the API."""
    return f"{(repository.get('project') or {}).get('key', '')}/{repository.get('slug', '')}"


def repository_api(repository: str) -> str:
    """Path of a repository in the API.

    :raises ForgeError: when the name is not valid.
    """
    return f"/api/1.0{repository_part(repository)}"


def repository_part(repository: str) -> str:
    """``/projects/KEY/repos/SLUG`` of a repository.

    :raises ForgeError: when the name is not valid.
    """
    if not is_repository_name(repository):
        raise ForgeError(f"{repository} is no repository of a project", 404)
    key, _, slug = repository.partition("/")
    return f"/projects/{quote(key, safe='')}/repos/{quote(slug, safe='')}"
