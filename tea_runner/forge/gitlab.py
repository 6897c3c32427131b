"""Client of GitLab; facts about the API are from its documentation ("REST API", version 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tea_runner.core.deliveries.registered_webhook import (
    ListedWebhook,
    is_repository_name,
    matches_repository,
)
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience, Visibility
from tea_runner.forge.gitlab_merge_requests import GitLabMergeRequests, project_path
from tea_runner.forge.ref_listing import RefListing
from tea_runner.forge.rest_api import shortened
from tea_runner.ports import CommitStatusState

_MOVED = (301, 302, 307, 308)
#: Access level "Reporter", the least that reads the code of a private project.
_REPORTER = 20
_LONGEST_DESCRIPTION = 255
#: GitLab's words; it has no warnings, and what was canceled lets no merge pass.
_STATES: Mapping[CommitStatusState, str] = {
    "pending": "pending",
    "success": "success",
    "error": "failed",
    "failure": "failed",
    "warning": "canceled",
}
_WORDS: Mapping[str, str] = {
    "running": "pending",
    "created": "pending",
    "failed": "error",
    "canceled": "warning",
    "skipped": "warning",
}
_VISIBILITY: Mapping[object, Visibility] = {
    "public": "public",
    "internal": "users",
    "private": "private",
}


class GitLabForge(RefListing, GitLabMergeRequests):
    """See :class:`tea_runner.ports.Forge`."""

    def whoami(self) -> str:
        """Name of the token's user."""
        return str(self.fields(self.ask("GET", "/user")).get("username", ""))

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """Full names that match one of the patterns: any by name, else those that the bot is a member of."""
        broad = [pattern for pattern in patterns if set(pattern) & set("*?[")]
        found: set[str] = set()
        for pattern in set(patterns) - set(broad):
            answer = self.ask("GET", project_path(pattern), allowed=(404,))
            if answer.status_code == 200:
                found.add(self._name(self.fields(answer)))
        if broad:
            rows = self.pages("/projects", membership="true", simple="true")
            names = {str(row.get("path_with_namespace", "")) for row in rows}
            found |= {
                name
                for name in names
                if is_repository_name(name)
                and any(matches_repository(pattern, name) for pattern in broad)
            }
        return sorted(found)

    def _project(self, repository: str) -> dict[str, Any]:
        return self.fields(self.ask("GET", project_path(repository)))

    def _name(self, project: Mapping[str, Any]) -> str:
        name = str(project.get("path_with_namespace", ""))
        if not is_repository_name(name):
            raise ForgeError(
                f"{self.url}: {name}: projects in subgroups are not supported",
                hint="move the project directly into a group",
            )
        return name

    def repository_id(self, repository: str) -> int | None:
        """The number of a project."""
        number = self._project(repository).get("id")
        return number if isinstance(number, int) else None

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """See :class:`tea_runner.ports.Forge`: GitLab answers former names, or redirects them."""
        answer = self.ask("GET", project_path(repository), allowed=_MOVED)
        if answer.status_code in _MOVED:
            # Only the name is used: the host stays the configured one.
            place = urlsplit(answer.headers.get("Location", "")).path
            _, _, name = place.partition("/api/v4/projects/")
            if name.isdecimal():
                answer = self.ask("GET", f"/projects/{name}")
            else:
                answer = self.ask("GET", project_path(unquote(name)))
        project = self.fields(answer)
        number = project.get("id")
        return self._name(project), number if isinstance(number, int) else None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits."""
        return {str(row["name"]): str(row["commit"]["id"]) for row in self._branches(repository)}

    def _branches(self, repository: str) -> list[dict[str, Any]]:
        path = project_path(repository)
        try:
            return list(self.pages(f"{path}/repository/branches"))
        except ForgeError as error:
            if error.response_status != 404:
                raise
            # A project without any commit has no repository.
            self.ask("GET", path)
            return []

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches; those count as protected to which not every developer may push."""
        about, rows = self._project(repository), self._branches(repository)
        return BranchProtection(
            default=str(about.get("default_branch") or ""),
            branches=frozenset(str(row["name"]) for row in rows),
            protected=frozenset(
                str(row["name"])
                for row in rows
                if row.get("protected") is True and row.get("developers_can_push") is False
            ),
        )

    def audience(self, repository: str) -> Audience:
        """Visibility, and the members of a project that is not open to all, inherited ones as well."""
        about = self._project(repository)
        wide = _VISIBILITY.get(about.get("visibility"))
        owner = str((about.get("namespace") or {}).get("full_path") or "").lower()
        if wide is None or not owner:
            raise ForgeError(f"the forge does not say who may read {repository}")
        if about.get("repository_access_level", "enabled") != "enabled":
            # The code of an open project may be for its members only.
            wide = "private"
        if wide != "private":
            return Audience(visibility=wide, owner=owner)
        rows = self.pages(f"{project_path(repository)}/members/all")
        people = {
            str(row["username"]).lower()
            for row in rows
            if int(row.get("access_level") or 0) >= _REPORTER and row.get("state") != "blocked"
        }
        return Audience(
            visibility=wide, owner=owner, people=frozenset(people - {self.whoami().lower()})
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
        """Set a commit status, which GitLab shows as a job of an external pipeline."""
        fields = {
            "state": _STATES[state],
            "name": context,
            "description": shortened(description, _LONGEST_DESCRIPTION),
        }
        if target_url:
            fields["target_url"] = target_url
        path = f"{project_path(repository)}/statuses/{quote(commit, safe='')}"
        answer = self.ask("POST", path, fields, allowed=(400,))
        if answer.status_code == 400 and "transition" not in answer.text:
            raise self.refusal("POST", path, answer)
        # Otherwise it has this state already.

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit's statuses."""
        path = f"{project_path(repository)}/repository/commits/{quote(commit, safe='')}/statuses"
        return {
            str(row["name"]): (
                _WORDS.get(str(row["status"]), str(row["status"])),
                str(row.get("description") or ""),
            )
            for row in self.pages(path)
        }

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Create a webhook for pushes and merge requests; return its id."""
        hook = {
            "url": url,
            "token": secret,
            "push_events": True,
            "merge_requests_events": True,
            "enable_ssl_verification": True,
        }
        made = self.ask("POST", f"{project_path(repository)}/hooks", hook)
        return str(self.fields(made)["id"])

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The webhooks of a project; GitLab disables those that fail often."""
        return [
            ListedWebhook(
                id=str(row["id"]),
                url=str(row.get("url", "")),
                active=row.get("alert_status", "executable") == "executable",
            )
            for row in self.pages(f"{project_path(repository)}/hooks")
        ]

    def test_webhook(self, repository: str, hook: str) -> None:
        """Let GitLab send the push of a tag, which the webhook gets for tests alone."""
        path = f"{project_path(repository)}/hooks/{quote(hook, safe='')}"
        self.ask("POST", f"{path}/test/tag_push_events")

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Delete a webhook; one that does not exist is no error."""
        path = f"{project_path(repository)}/hooks/{quote(hook, safe='')}"
        self.ask("DELETE", path, allowed=(404,))
