"""Protocol of a forge: what tea-runner does there besides git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from tea_runner.core.deliveries.registered_webhook import ListedWebhook
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.git.pull_request import ListedPullRequest
from tea_runner.core.repository_visibility import Audience

#: Gitea's states of a commit status.
CommitStatusState = Literal["pending", "success", "error", "failure", "warning"]


class Forge(Protocol):
    """Repositories, branches, commit statuses and webhooks.

    The message of a ForgeError holds the forge's own sentence, where it gave one.
    """

    #: Refs of the newest commits of pull requests; ``*`` stands for the number.
    pull_refs: str

    def remote_url(self, repository: str) -> str:
        """The URL of ``owner/name`` for git, without name or password in it.

        :raises ForgeError: when the name is not valid.
        """
        ...

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """The full names that the patterns (``owner/name``, ``owner/*``, ``*/*``) match, sorted.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def repository_id(self, repository: str) -> int | None:
        """The forge's number of a repository, which a rename keeps; None where it has no numbers.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names (without ``refs/heads/``) and their tips.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes with their ids, in one request.

        None when the forge has no such request, and ``git ls-remote`` is needed.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """The name that a repository has now, and its number: it may have been renamed or moved.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def branch_protection(self, repository: str) -> BranchProtection:
        """The default branch, all branches, and those that the forge protects.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def audience(self, repository: str) -> Audience:
        """Who may read a repository, without the bot.

        :raises ForgeError: when the forge declines, does not answer or does not say it.
        """
        ...

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """Open pull requests, the newest first, some hundreds at most; none where there are no such things.

        :param closed: those that were merged or closed instead, the one that changed last first.
        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """One pull request, open or not; None when there is none of this number.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def open_pull_request(
        self, repository: str, *, head: str, base: str, title: str, text: str
    ) -> ListedPullRequest | None:
        """Open a pull request; None where there are no such things.

        :param head: a branch of the repository.
        :param base: the branch that it is to be merged into.
        :raises ForgeError: when the forge declines, as it does for a second one, or does not answer.
        """
        ...

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Replace title and text of a pull request.

        :param close: close it as well.
        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """Write the bot's one comment on a pull request anew, or make it.

        :param marker: what the text begins with, to find the comment.
        :param comment: its id, if it is known.
        :returns: its id; empty where there are no such things.
        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

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
        """Add a commit status; the forge keeps every one, so call it on changes only.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Add a webhook that delivers pushes to *url*; returns its id on the forge.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The webhooks of a repository.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def test_webhook(self, repository: str, hook: str) -> None:
        """Have the forge send a test delivery.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Remove a webhook; does nothing when there is none of that id.

        :raises ForgeError: when the forge declines or does not answer.
        """
        ...

    def check(self) -> Sequence[str]:
        """What is wrong with the connection, one sentence each with the next step; raises nothing."""
        ...
