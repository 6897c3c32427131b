"""Client of Bitbucket Data Center; facts about the API are from its REST documentation (8.x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from tea_runner.core.deliveries.registered_webhook import (
    ListedWebhook,
    is_repository_name,
    matches_repository,
)
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience
from tea_runner.forge.bitbucket_pull_requests import (
    BitbucketPullRequests,
    full_name,
    repository_api,
    repository_part,
)
from tea_runner.forge.ref_listing import RefListing
from tea_runner.forge.rest_api import shortened
from tea_runner.ports import CommitStatusState

_LONGEST_DESCRIPTION = 255
#: Bitbucket has no warnings; what is in progress lets no merge pass that needs builds.
_STATES: Mapping[CommitStatusState, str] = {
    "pending": "INPROGRESS",
    "success": "SUCCESSFUL",
    "error": "FAILED",
    "failure": "FAILED",
    "warning": "INPROGRESS",
}
_WORDS: Mapping[object, str] = {
    "INPROGRESS": "pending",
    "SUCCESSFUL": "success",
    "FAILED": "error",
}
_EVENTS = (
    "repo:refs_changed",
    "pr:opened",
    "pr:from_ref_updated",
    "pr:modified",
    "pr:merged",
    "pr:declined",
    "pr:deleted",
)
#: Restrictions by which not everybody who may push to the repository may push to the branch.
_CLOSED = ("read-only", "pull-request-only")


class BitbucketForge(RefListing, BitbucketPullRequests):
    """See :class:`tea_runner.ports.Forge`."""

    def remote_url(self, repository: str) -> str:
        """The URL from which git clones."""
        return f"{self.url}/scm/{quote(repository)}.git"

    @property
    def git_account(self) -> None:
        """None: the token goes in the header of all requests, whoever's it is."""

    def version(self) -> str:
        """Version of the forge."""
        about = self.fields(self.ask("GET", "/api/1.0/application-properties"))
        return str(about.get("version", ""))

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """Full names that match one of the patterns and that the bot can see, sorted."""
        broad = [pattern for pattern in patterns if set(pattern) & set("*?[")]
        found: set[str] = set()
        for pattern in set(patterns) - set(broad):
            answer = self.ask("GET", repository_api(pattern), allowed=(404,))
            if answer.status_code == 200:
                found.add(self._name(self.fields(answer)))
        if broad:
            names = {full_name(row) for row in self.pages("/api/1.0/repos")}
            found |= {
                name
                for name in names
                if is_repository_name(name)
                and any(matches_repository(pattern, name) for pattern in broad)
            }
        return sorted(found)

    def _repository(self, repository: str) -> dict[str, Any]:
        return self.fields(self.ask("GET", repository_api(repository)))

    def _name(self, about: Mapping[str, Any]) -> str:
        name = full_name(about)
        if not is_repository_name(name):
            raise ForgeError(f"{self.url}: {name}: repositories of users are not supported")
        return name

    def repository_id(self, repository: str) -> int | None:
        """The number of a repository."""
        number = self._repository(repository).get("id")
        return number if isinstance(number, int) else None

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """See :class:`tea_runner.ports.Forge`: Bitbucket answers former names for some time."""
        about = self._repository(repository)
        number = about.get("id")
        return self._name(about), number if isinstance(number, int) else None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits."""
        return {
            str(row["id"]).removeprefix("refs/heads/"): str(row["latestCommit"])
            for row in self.pages(f"{repository_api(repository)}/branches")
        }

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches, and those that a restriction names in full; patterns are not read."""
        rows = list(self.pages(f"{repository_api(repository)}/branches"))
        names = {str(row["id"]).removeprefix("refs/heads/"): row for row in rows}
        default = next((name for name, row in names.items() if row.get("isDefault") is True), "")
        path = f"/branch-permissions/2.0{repository_part(repository)}/restrictions"
        try:
            rules = list(self.pages(path))
        except ForgeError as error:
            # Administrators of the repository only.
            if error.response_status not in (401, 403):
                raise
            rules = []
        shut = {_branch(rule) for rule in rules if rule.get("type") in _CLOSED}
        return BranchProtection(
            default=default, branches=frozenset(names), protected=frozenset(shut & names.keys())
        )

    def audience(self, repository: str) -> Audience:
        """Everybody, or the users whom Bitbucket says to have the permission to read."""
        about = self._repository(repository)
        project = about.get("project") or {}
        owner = str(project.get("key") or "").lower()
        number = about.get("id")
        if about.get("public") is True or project.get("public") is True:
            return Audience(visibility="public", owner=owner)
        if about.get("public") is not False or not isinstance(number, int) or not owner:
            raise ForgeError(f"the forge does not say who may read {repository}")
        asked = {"permission.1": "REPO_READ", "permission.1.repositoryId": str(number)}
        people = {str(row["name"]).lower() for row in self.pages("/api/1.0/users", **asked)}
        return Audience(
            visibility="private", owner=owner, people=frozenset(people - {self.whoami().lower()})
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
        """Set a build status."""
        page = f"{self.url}{repository_part(repository)}/commits/{commit}"
        fields = {
            "key": context,
            "name": context,
            "state": _STATES[state],
            "description": shortened(description, _LONGEST_DESCRIPTION),
            # Bitbucket accepts no status without an address.
            "url": target_url or page,
        }
        path = f"{repository_api(repository)}/commits/{quote(commit, safe='')}/builds"
        self.ask("POST", path, fields)

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the (state, description) of a commit's build statuses."""
        # Build statuses belong to commits: the next call asks for no repository.
        self._repository(repository)
        path = f"/build-status/1.0/commits/{quote(commit, safe='')}"
        return {
            str(row["key"]): (
                _WORDS.get(row.get("state"), "pending"),
                str(row.get("description") or ""),
            )
            for row in self.pages(path)
        }

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Create an active webhook for pushes and pull requests; return its id."""
        hook = {
            "name": "tea-runner",
            "url": url,
            "active": True,
            "events": list(_EVENTS),
            "configuration": {"secret": secret},
            "sslVerificationRequired": True,
        }
        made = self.ask("POST", f"{repository_api(repository)}/webhooks", hook)
        return str(self.fields(made)["id"])

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The webhooks of a repository."""
        return [
            ListedWebhook(
                id=str(row["id"]), url=str(row.get("url", "")), active=row.get("active") is True
            )
            for row in self.pages(f"{repository_api(repository)}/webhooks")
        ]

    def test_webhook(self, repository: str, hook: str) -> None:
        """Let Bitbucket send the event "diagnostics:ping"."""
        there = next((each for each in self.webhooks(repository) if each.id == hook), None)
        if there is None:
            raise ForgeError(f"{self.url}: {repository} has no webhook {hook}", 404)
        asked = urlencode({"webhookId": hook, "url": there.url})
        self.ask("POST", f"{repository_api(repository)}/webhooks/test?{asked}", {})

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Delete a webhook; one that does not exist is no error."""
        path = f"{repository_api(repository)}/webhooks/{quote(hook, safe='')}"
        self.ask("DELETE", path, allowed=(404,))


def _branch(rule: Mapping[str, Any]) -> str:
    """The branch that a restriction is of; empty for a pattern."""
    matcher = rule.get("matcher") or {}
    if (matcher.get("type") or {}).get("id") != "BRANCH":
        return ""
    return str(matcher.get("id") or "").removeprefix("refs/heads/")
