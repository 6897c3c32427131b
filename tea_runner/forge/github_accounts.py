"""Accounts of GitHub, asked with the accounts' own credentials."""

from __future__ import annotations

from tea_runner.forge.gitea_accounts import GiteaAccounts
from tea_runner.forge.github_address import github_api_url


class GitHubAccounts(GiteaAccounts):
    """See :class:`tea_runner.ports.ForgeAccounts`."""

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return github_api_url(self._url)

    def moved_path(self, target: str) -> str:
        """The path in the API of a repository that has moved; empty when *target* is none."""
        _, _, number = target.partition("/repositories/")
        return f"/repositories/{number}" if number.isdecimal() else ""
