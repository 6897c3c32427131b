"""Client of Gogs and GIN, whose API is an early form of Gitea's: ``internal/route/api/v1`` of Gogs.

It has no commit statuses, no pull requests and no protected branches; what a status would say is on the
pages of tea-runner.
"""
# ruff: noqa: ARG002 - what the API does not have needs no arguments

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.repository_visibility import Audience
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.rest_api import repository_path
from tea_runner.ports import CommitStatusState


class GogsForge(GiteaForge):
    """See :class:`tea_runner.ports.Forge`."""

    webhook_type = "gogs"
    repositories_path = "/user/repos"
    #: In the words of Gogs' ``internal/db/webhook.go``.
    webhook_events = ("push", "delete")

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits; for an empty repository Gogs fails."""
        try:
            return super().branches(repository)
        except ForgeError as error:
            if error.response_status != 500 or not self._is_empty(repository):
                raise
            return {}

    def _is_empty(self, repository: str) -> bool:
        answer = self.ask("GET", f"/repos/{repository_path(repository)}")
        return self.fields(answer).get("empty") is True

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """None: Gogs does not speak git's protocol v2 over HTTP."""
        return None

    def branch_protection(self, repository: str) -> BranchProtection:
        """Branches without protection: the API does not tell of it."""
        about = self.fields(self.ask("GET", f"/repos/{repository_path(repository)}"))
        return BranchProtection(
            default=str(about.get("default_branch") or ""),
            branches=frozenset(self.branches(repository)),
            protected=frozenset(),
        )

    def audience(self, repository: str) -> Audience:
        """Everybody, or the collaborators; Gogs' API does not say who is in an organization's teams."""
        path = f"/repos/{repository_path(repository)}"
        about = self.fields(self.ask("GET", path))
        owner = str((about.get("owner") or {}).get("login") or "").lower()
        private = about.get("private")
        if private is False:
            return Audience(visibility="public", owner=owner)
        if private is not True or not owner:
            raise ForgeError(f"the forge does not say who may read {repository}")
        people = {str(row["login"]).lower() for row in self.pages(f"{path}/collaborators")}
        bot = self.whoami().lower()
        return Audience(
            visibility="private", owner=owner, people=frozenset((people | {owner}) - {bot})
        )

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """None: the API has no pull requests."""
        self.ask("GET", f"/repos/{repository_path(repository)}")
        return []

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """Nothing: the API has no pull requests."""
        return ""

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
        """Nothing: Gogs has no commit statuses."""

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """None: Gogs has no commit statuses."""
        return {}

    def test_webhook(self, repository: str, hook: str) -> None:
        """Always an error: the API has no test deliveries."""
        page = f"{self.url}/{quote(repository)}/settings/hooks/{quote(hook, safe='')}"
        raise ForgeError(
            "Gogs sends test deliveries from its pages only", hint=f"press Test Delivery on {page}"
        )

    def version(self) -> str:
        """Empty: the API does not tell it; the call fails where the forge does not answer."""
        self.whoami()
        return ""
