"""Accounts of Bitbucket Data Center, asked with the accounts' own credentials."""

from __future__ import annotations

from urllib.parse import unquote, urlencode

from tea_runner.core.access import AccessLevel
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.forge.bitbucket_pull_requests import full_name, repository_api
from tea_runner.forge.gitea_accounts import GiteaAccounts

_LONGEST_PAGES = 50


class BitbucketAccounts(GiteaAccounts):
    """See :class:`tea_runner.ports.ForgeAccounts`."""

    @property
    def api_url(self) -> str:
        """URL below which the paths of the APIs are."""
        return f"{self._url}/rest"

    def authorization(self, credential: str) -> str:
        """Bitbucket does not know Gitea's word "token"."""
        scheme, _, rest = credential.partition(" ")
        return f"Bearer {rest}" if scheme == "token" else credential

    def name(self, credential: str) -> str:
        """Name of the credential's account, a header of the responses to it."""
        answer = self.response("/api/1.0/users?limit=1", credential)
        if answer is None or answer.status_code != 200:
            return ""
        return unquote(answer.headers.get("X-AUSERNAME", ""))

    def level(self, credential: str, repository: str) -> AccessLevel:
        """Whether the account sees the repository, and whether it is among those that it may write."""
        if not is_repository_name(repository):
            return AccessLevel.NONE
        about = self._ask(repository_api(repository), credential)
        # Somebody without an account reads what is public.
        if full_name(about) != repository or not self.name(credential):
            return AccessLevel.NONE
        return AccessLevel.WRITE if self._writes(credential, about.get("id")) else AccessLevel.READ

    def _writes(self, credential: str, number: object) -> bool:
        start = 0
        for _ in range(_LONGEST_PAGES):
            query = urlencode({"permission": "REPO_WRITE", "limit": 500, "start": start})
            page = self._ask(f"/api/1.0/repos?{query}", credential)
            rows = page.get("values")
            if not isinstance(rows, list):
                return False
            if any(isinstance(row, dict) and row.get("id") == number for row in rows):
                return True
            following = page.get("nextPageStart")
            if page.get("isLastPage") is not False or not isinstance(following, int):
                return False
            start = following
        return False

    def moved_path(self, target: str) -> str:
        """Empty: Bitbucket redirects no repositories."""
        del target
        return ""
