"""Merge requests of GitLab, and the bot's comments ("notes") on them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.forge.rest_api import RestApi

_MOST_MERGE_REQUESTS = 200
_STATES: Mapping[object, Literal["open", "merged", "closed"]] = {
    "opened": "open",
    "locked": "open",
    "merged": "merged",
}


class GitLabMergeRequests(RestApi):
    """See :class:`tea_runner.ports.Forge`."""

    program = "GitLab"
    scheme = "Bearer"
    rows_parameter = "per_page"
    pull_refs = "refs/merge-requests/*/head"

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return f"{self.url}/api/v4"

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """Open merge requests, or merged and closed ones."""
        path = f"{project_path(repository)}/merge_requests"
        if not closed:
            rows = itertools.islice(self.pages(path, state="opened"), _MOST_MERGE_REQUESTS)
            return [self._parse(repository, row) for row in rows]
        changed = {"order_by": "updated_at", "sort": "desc"}
        ended = (self.pages(path, state=state, **changed) for state in ("merged", "closed"))
        found = heapq.merge(*ended, key=lambda row: str(row.get("updated_at")), reverse=True)
        return [
            self._parse(repository, row) for row in itertools.islice(found, _MOST_MERGE_REQUESTS)
        ]

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """One merge request, by its number in the project."""
        path = project_path(repository)
        answer = self.ask("GET", f"{path}/merge_requests/{number}", allowed=(404,))
        if answer.status_code == 404:
            # Raises where there is no project.
            self.ask("GET", path)
            return None
        return self._parse(repository, self.fields(answer))

    def open_pull_request(
        self, repository: str, *, head: str, base: str, title: str, text: str
    ) -> ListedPullRequest | None:
        """Open a merge request of a branch of the project."""
        fields = {
            "source_branch": head,
            "target_branch": base,
            "title": title,
            "description": text,
        }
        answer = self.ask("POST", f"{project_path(repository)}/merge_requests", fields)
        return self._parse(repository, self.fields(answer))

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Replace title and text of a merge request."""
        path = f"{project_path(repository)}/merge_requests/{number}"
        state = {"state_event": "close"} if close else {}
        self.ask("PUT", path, {"title": title, "description": text, **state})

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """See :class:`tea_runner.ports.Forge`: the note is found by its marker and its author."""
        notes = f"{project_path(repository)}/merge_requests/{number}/notes"
        body = {"body": text}
        comment = comment if comment.isdecimal() else ""
        comment = comment or self._own_note(notes, marker)
        if comment:
            answer = self.ask("PUT", f"{notes}/{comment}", body, allowed=(404,))
            if answer.status_code != 404:
                return comment
        return str(self.fields(self.ask("POST", notes, body))["id"])

    def _own_note(self, notes: str, marker: str) -> str:
        return next(
            (
                str(row["id"])
                for row in self.pages(notes, sort="asc", order_by="created_at")
                if str(row.get("body") or "").startswith(marker)
                and (row.get("author") or {}).get("id") == self._user_id
            ),
            "",
        )

    @cached_property
    def _user_id(self) -> int:
        return int(self.fields(self.ask("GET", "/user"))["id"])

    @cached_property
    def _sources(self) -> dict[int, str]:
        """Names of the projects of source branches, by number."""
        return {}

    def _source(self, number: object) -> str:
        """Name of a project; empty when it was deleted, or the bot cannot see it."""
        if not isinstance(number, int):
            return ""
        if number not in self._sources:
            answer = self.ask("GET", f"/projects/{number}", allowed=(403, 404))
            said = self.fields(answer) if answer.status_code == 200 else {}
            self._sources[number] = str(said.get("path_with_namespace") or "")
        return self._sources[number]

    def _parse(self, repository: str, row: Mapping[str, Any]) -> ListedPullRequest:
        """A merge request in an answer of the API."""
        author = row.get("author") or {}
        inside = row.get("source_project_id") == row.get("target_project_id")
        return ListedPullRequest(
            number=int(row["iid"]),
            title=str(row.get("title") or ""),
            author=str(author.get("username") or ""),
            url=str(row.get("web_url") or ""),
            text=str(row.get("description") or ""),
            commit=str(row.get("sha") or ""),
            branch=str(row.get("source_branch") or ""),
            source=repository if inside else self._source(row.get("source_project_id")),
            target=str(row.get("target_branch") or ""),
            own=author.get("id") == self._user_id,
            state=_STATES.get(row.get("state"), "closed"),
        )


def project_path(repository: str) -> str:
    """Path of a project in the API.

    :raises ForgeError: when the name is not valid.
    """
    if not is_repository_name(repository):
        raise ForgeError(f"{repository} is no project directly in a group", 404)
    return f"/projects/{quote(repository, safe='')}"
