"""Client of GitHub and GitHub Enterprise Server, whose REST API Gitea's follows in most parts.

Facts about the API are from its documentation ("GitHub REST API", version 2022-11-28).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience, Visibility
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.github_address import github_api_url
from tea_runner.forge.rest_api import repository_path
from tea_runner.ports import CommitStatusState

#: GitHub has no warnings; like a skipped workflow of its own, a skipped push stays pending.
_STATES: Mapping[CommitStatusState, str] = {"warning": "pending"}
_VISIBILITY: Mapping[object, Visibility] = {
    "public": "public",
    # All members of the enterprise, which the API does not list.
    "internal": "organization",
    "private": "private",
}
#: Rules by which not everybody who may push to the repository may push to the branch.
_CLOSED_RULES = ("pull_request", "update")
#: The same of the protection of a branch, which administrators of the repository can read.
_CLOSED_PROTECTION = ("required_pull_request_reviews", "restrictions", "lock_branch")
#: Protected branches of which the rules are asked, one request each or two.
_MOST_PROTECTED = 50


class GitHubForge(GiteaForge):
    """See :class:`tea_runner.ports.Forge`."""

    program = "GitHub"
    scheme = "Bearer"
    rows_parameter = "per_page"
    webhook_type = "web"
    webhook_events = ("push", "pull_request")
    repositories_path = "/user/repos"
    longest_description = 140
    closed_pulls: Mapping[str, str] = {
        "state": "closed",
        "sort": "updated",
        "direction": "desc",
    }

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return github_api_url(self.url)

    def version(self) -> str:
        """Version of an Enterprise Server; empty of github.com."""
        return str(self.fields(self.ask("GET", "/meta")).get("installed_version") or "")

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """See :class:`tea_runner.ports.Forge`: of a former name, GitHub redirects to the number."""
        path = f"/repos/{repository_path(repository)}"
        answer = self.ask("GET", path, allowed=(301, 302, 307, 308))
        if answer.status_code >= 300:
            # Only the number is used: the host stays the configured one.
            place = urlsplit(answer.headers.get("Location", "")).path
            _, _, number = place.partition("/repositories/")
            if not number.isdecimal():
                raise ForgeError(
                    f"{self.url}: {repository}: it has moved to an address that is none of GitHub's API",
                    answer.status_code,
                )
            answer = self.ask("GET", f"/repositories/{number}")
        found = self.fields(answer).get("id")
        return self._name(answer), found if isinstance(found, int) else None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits."""
        path = f"/repos/{repository_path(repository)}/branches"
        return {str(each["name"]): str(each["commit"]["sha"]) for each in self.pages(path)}

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches, and those that a ruleset or a protection closes to some who may push.

        A branch may be protected from deletion alone; that does not count.
        """
        path = f"/repos/{repository_path(repository)}"
        about = self.fields(self.ask("GET", path))
        rows = list(self.pages(f"{path}/branches"))
        protected = (str(row["name"]) for row in rows if row.get("protected") is True)
        return BranchProtection(
            default=str(about.get("default_branch") or ""),
            branches=frozenset(str(row["name"]) for row in rows),
            protected=frozenset(
                name
                for name in itertools.islice(protected, _MOST_PROTECTED)
                if self._is_closed(path, name)
            ),
        )

    def _is_closed(self, path: str, branch: str) -> bool:
        name = quote(branch, safe="")
        answer = self.ask("GET", f"{path}/rules/branches/{name}", allowed=(403, 404))
        rules = self.rows(answer) if answer.status_code == 200 else []
        if any(rule.get("type") in _CLOSED_RULES for rule in rules):
            return True
        answer = self.ask("GET", f"{path}/branches/{name}/protection", allowed=(403, 404))
        said = self.fields(answer) if answer.status_code == 200 else {}
        return any(_is_on(said.get(rule)) for rule in _CLOSED_PROTECTION)

    def audience(self, repository: str) -> Audience:
        """Visibility, and everybody who may read a repository that is not public, however they may."""
        path = f"/repos/{repository_path(repository)}"
        about = self.fields(self.ask("GET", path))
        said = "private" if about.get("private") is True else "public"
        wide = _VISIBILITY.get(about.get("visibility", said))
        owner = str((about.get("owner") or {}).get("login") or "").lower()
        if wide is None or not owner or (wide == "public") != (about.get("private") is False):
            raise ForgeError(f"the forge does not say who may read {repository}")
        if wide == "public":
            return Audience(visibility=wide, owner=owner)
        rows = self.pages(f"{path}/collaborators", affiliation="all")
        people = {str(row["login"]).lower() for row in rows}
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
        """Set a commit status."""
        super().set_commit_status(
            repository,
            commit,
            _STATES.get(state, state),  # type: ignore[arg-type]
            description=description,
            context=context,
            target_url=target_url,
        )

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit's statuses."""
        path = f"/repos/{repository_path(repository)}/commits/{commit}/statuses"
        found: dict[str, tuple[str, str]] = {}
        # The latest first.
        for row in self.pages(path):
            words = str(row.get("description") or "")
            found.setdefault(str(row["context"]), (str(row["state"]), words))
        return found

    def test_webhook(self, repository: str, hook: str) -> None:
        """Let GitHub send the event "ping"."""
        path = f"/repos/{repository_path(repository)}/hooks/{quote(hook, safe='')}"
        self.ask("POST", f"{path}/pings")

    def comment_rows(self, path: str) -> list[dict[str, Any]]:
        """The comments of a pull request, all pages."""
        return list(self.pages(path))


def _is_on(rule: object) -> bool:
    return rule.get("enabled") is not False if isinstance(rule, dict) else bool(rule)
