"""Pull requests of Gitea and Forgejo, and the bot's comments on them.

The embedded forge has none: its answer 404 reads as "there are none".
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from tea_runner.core.git.pull_request import PULL_HEADS, ListedPullRequest
from tea_runner.forge.rest_api import RestApi, repository_path

_MOST_PULL_REQUESTS = 200


class GiteaPullRequests(RestApi):
    """See :class:`tea_runner.ports.Forge`."""

    pull_refs = PULL_HEADS
    #: Parameters of the list of closed pull requests, the one that changed last first.
    closed_pulls: Mapping[str, str] = {"state": "closed", "sort": "recentupdate"}

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """Open pull requests, or closed ones; the embedded forge has none."""
        path = f"/repos/{repository_path(repository)}/pulls"
        if self.ask("GET", f"{path}?{self.rows_parameter}=1", allowed=(404,)).status_code == 404:
            # Raises where there is no repository.
            self.ask("GET", f"/repos/{repository_path(repository)}")
            return []
        fields = self.closed_pulls if closed else {"state": "open"}
        rows = itertools.islice(self.pages(path, **fields), _MOST_PULL_REQUESTS)
        return [parse_pull_request(row, self._user_id) for row in rows]

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """One pull request, open or closed; None when there is none of this number."""
        path = f"/repos/{repository_path(repository)}"
        answer = self.ask("GET", f"{path}/pulls/{number}", allowed=(404,))
        if answer.status_code == 404:
            self.ask("GET", path)
            return None
        return parse_pull_request(self.fields(answer), self._user_id)

    def open_pull_request(
        self, repository: str, *, head: str, base: str, title: str, text: str
    ) -> ListedPullRequest | None:
        """Open a pull request of a branch of the repository; None where there are no such things."""
        path = f"/repos/{repository_path(repository)}"
        fields = {"head": head, "base": base, "title": title, "body": text}
        answer = self.ask("POST", f"{path}/pulls", fields, allowed=(404,))
        if answer.status_code == 404:
            self.ask("GET", path)
            return None
        return parse_pull_request(self.fields(answer), self._user_id)

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Replace title and text of a pull request."""
        path = f"/repos/{repository_path(repository)}/pulls/{number}"
        state = {"state": "closed"} if close else {}
        self.ask("PATCH", path, {"title": title, "body": text, **state})

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """See :class:`tea_runner.ports.Forge`: the comment is found by its marker and its author."""
        issues = f"/repos/{repository_path(repository)}/issues"
        body = {"body": text}
        comment = comment if comment.isdecimal() else ""
        comment = comment or self._own_comment(f"{issues}/{number}/comments", marker)
        if comment:
            path = f"{issues}/comments/{comment}"
            if self.ask("PATCH", path, body, allowed=(404,)).status_code != 404:
                return comment
        answer = self.ask("POST", f"{issues}/{number}/comments", body, allowed=(404,))
        return str(self.fields(answer)["id"]) if answer.status_code != 404 else ""

    def _own_comment(self, path: str, marker: str) -> str:
        return next(
            (
                str(row["id"])
                for row in self.comment_rows(path)
                if str(row.get("body") or "").startswith(marker)
                and (row.get("user") or {}).get("id") == self._user_id
            ),
            "",
        )

    def comment_rows(self, path: str) -> list[dict[str, Any]]:
        """The comments of a pull request: Gitea's list has one page."""
        answer = self.ask("GET", path, allowed=(404,))
        return self.rows(answer) if answer.status_code == 200 else []

    @cached_property
    def _user_id(self) -> int:
        return int(self.fields(self.ask("GET", "/user"))["id"])


def parse_pull_request(row: Mapping[str, Any], user: int) -> ListedPullRequest:
    """A pull request in an answer of the API.

    :param user: id of the account that asks.
    """
    head, base = row.get("head") or {}, row.get("base") or {}
    return ListedPullRequest(
        number=int(row["number"]),
        title=str(row.get("title") or ""),
        author=str((row.get("user") or {}).get("login") or ""),
        url=str(row.get("html_url") or ""),
        text=str(row.get("body") or ""),
        commit=str(head.get("sha") or ""),
        branch=str(head.get("ref") or ""),
        # Null when the fork was deleted.
        source=str((head.get("repo") or {}).get("full_name") or ""),
        target=str(base.get("ref") or ""),
        own=(row.get("user") or {}).get("id") == user,
        # Lists of GitHub have the time only.
        state="merged"
        if row.get("merged") or row.get("merged_at")
        else "open"
        if row.get("state") == "open"
        else "closed",
    )
