"""Client of Gitea, Forgejo and the embedded forge.

API: ``/api/v1`` as in Gitea's ``routers/api/v1``; the same in Forgejo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

from tea_runner.core.deliveries.registered_webhook import (
    ListedWebhook,
    is_repository_name,
    matches_repository,
)
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience
from tea_runner.forge import gitea_permissions
from tea_runner.forge.gitea_pull_requests import GiteaPullRequests
from tea_runner.forge.ref_listing import RefListing
from tea_runner.forge.rest_api import error_sentence, repository_path, shortened
from tea_runner.ports import CommitStatusState

#: A repository that was renamed or moved to another owner.
_MOVED = (301, 302, 307, 308)
_MOST_REDIRECTS = 3


class GiteaForge(RefListing, GiteaPullRequests):
    """Client of one forge as one user; every method raises ForgeError when a call fails."""

    webhook_type = "gitea"
    #: List of the repositories that the bot can see.
    repositories_path = "/repos/search"
    #: Characters of a status description, which is shown in one line.
    longest_description = 255
    #: In the words of Gitea's ``routers/api/v1/utils/hook.go``.
    webhook_events: Sequence[str] = ("push", "delete", "pull_request_only", "pull_request_sync")

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """Full names that match one of the patterns and that the bot can see, sorted."""
        found: set[str] = set()
        broad = [pattern for pattern in patterns if set(pattern) & set("*?[")]
        for pattern in set(patterns) - set(broad):
            answer = self.ask("GET", f"/repos/{repository_path(pattern)}", allowed=(404,))
            if answer.status_code == 200:
                found.add(self._name(answer))
        if broad:
            # Gitea sets "empty" some time after the first push, so it is not used.
            names = {str(each.get("full_name", "")) for each in self.pages(self.repositories_path)}
            found |= {
                name
                for name in names
                if is_repository_name(name)
                and any(matches_repository(pattern, name) for pattern in broad)
            }
        return sorted(found)

    def repository_id(self, repository: str) -> int | None:
        """The forge's id of a repository."""
        answer = self.ask("GET", f"/repos/{repository_path(repository)}")
        number = self.fields(answer).get("id")
        return number if isinstance(number, int) else None

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """See :class:`tea_runner.ports.Forge`: of a former name, the forge redirects to the new one."""
        answer = self.ask("GET", f"/repos/{repository_path(repository)}", allowed=_MOVED)
        for _ in range(_MOST_REDIRECTS):
            if answer.status_code not in _MOVED:
                break
            # Only the path is used: the host stays the configured one.
            path = urlsplit(answer.headers.get("Location", "")).path
            _, found, rest = path.partition("/api/v1/repos/")
            if not found or not is_repository_name(unquote(rest)):
                break
            answer = self.ask("GET", f"/repos/{rest}", allowed=_MOVED)
        if answer.status_code in _MOVED:
            raise ForgeError(
                f"{self.url}: {repository}: {error_sentence(answer)}", answer.status_code
            )
        number = self.fields(answer).get("id")
        return self._name(answer), number if isinstance(number, int) else None

    def _name(self, answer: requests.Response) -> str:
        """The full name of the repository that a response describes.

        :raises ForgeError: when it has none.
        """
        name = str(self.fields(answer).get("full_name", ""))
        if not is_repository_name(name):
            raise self.strange(answer)
        return name

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits; Gitea's API shows a push a moment after git does."""
        return {
            str(each["name"]): str(each["commit"]["id"])
            for each in self.pages(f"/repos/{repository_path(repository)}/branches")
        }

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches and which of them Gitea's rules protect, as it says itself."""
        path = f"/repos/{repository_path(repository)}"
        about = self.fields(self.ask("GET", path))
        try:
            branches = list(self.pages(f"{path}/branches"))
        except ForgeError as error:
            # "repository is empty", also for a moment after the first push.
            if error.response_status not in (404, 409):
                raise
            branches = []
        rules: list[dict[str, Any]] = []
        if any(each.get("protected") for each in branches):
            answer = self.ask("GET", f"{path}/branch_protections", allowed=(403, 404))
            rules = self.rows(answer) if answer.status_code == 200 else []
        return gitea_permissions.parse_protection(
            about, branches, gitea_permissions.open_rules(rules)
        )

    def audience(self, repository: str) -> Audience:
        """Visibility, and for repositories that are not open to all users, collaborators and teams."""
        path = f"/repos/{repository_path(repository)}"

        def teams() -> list[dict[str, Any]] | None:
            # 405: the owner is no organization.
            answer = self.ask("GET", f"{path}/teams", allowed=(405,))
            return self.rows(answer) if answer.status_code == 200 else None

        about = self.fields(self.ask("GET", path))
        if gitea_permissions.visibility(about) in ("public", "users"):
            return gitea_permissions.parse_audience(about, list, list, "")
        return gitea_permissions.parse_audience(
            about, lambda: self.pages(f"{path}/collaborators"), teams, self.whoami()
        )

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
        status = {
            "state": state,
            "description": shortened(description, self.longest_description),
            "context": context,
            "target_url": target_url,
        }
        self.ask("POST", f"/repos/{repository_path(repository)}/statuses/{commit}", status)

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit's statuses; not tried again."""
        path = f"/repos/{repository_path(repository)}/commits/{commit}/status"
        combined = self.fields(self.ask("GET", path, tries=1))
        return {
            str(each["context"]): (str(each["status"]), str(each["description"]))
            for each in combined.get("statuses") or []
        }

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Create an active webhook for the events of this kind of forge; return its id."""
        hook = {
            # GitHub's word for it; Gitea reads the type.
            "name": self.webhook_type,
            "type": self.webhook_type,
            "active": True,
            "events": list(self.webhook_events),
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        made = self.fields(self.ask("POST", f"/repos/{repository_path(repository)}/hooks", hook))
        return str(made["id"])

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The webhooks of a repository."""
        return [
            ListedWebhook(
                id=str(each["id"]),
                url=str((each.get("config") or {}).get("url", "")),
                active=bool(each.get("active")),
            )
            for each in self.pages(f"/repos/{repository_path(repository)}/hooks")
        ]

    def test_webhook(self, repository: str, hook: str) -> None:
        """Let the forge send a test delivery, whose before and after are equal."""
        self.ask("POST", f"/repos/{repository_path(repository)}/hooks/{quote(hook, safe='')}/tests")

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Delete a webhook; one that does not exist is no error."""
        path = f"/repos/{repository_path(repository)}/hooks/{quote(hook, safe='')}"
        self.ask("DELETE", path, allowed=(404,))
