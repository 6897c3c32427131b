"""Accounts of GitLab, asked with the accounts' own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from tea_runner.core.access import AccessLevel
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.forge.gitea_accounts import GiteaAccounts

#: Access levels "Reporter", which reads code, and "Developer", which pushes.
_REPORTER, _DEVELOPER = 20, 30


class GitLabAccounts(GiteaAccounts):
    """See :class:`tea_runner.ports.ForgeAccounts`."""

    user_name = "username"

    @property
    def api_url(self) -> str:
        """URL below which the paths of the API are."""
        return f"{self._url}/api/v4"

    def authorization(self, credential: str) -> str:
        """GitLab does not know Gitea's word "token"."""
        scheme, _, rest = credential.partition(" ")
        return f"Bearer {rest}" if scheme == "token" else credential

    def level(self, credential: str, repository: str) -> AccessLevel:
        """By the role in the project or its group, else by the visibility of the code."""
        if not is_repository_name(repository):
            return AccessLevel.NONE
        about = self._ask(f"/projects/{quote(repository, safe='')}", credential)
        role = max(_role(about, "project_access"), _role(about, "group_access"))
        if role >= _REPORTER:
            return AccessLevel.WRITE if role >= _DEVELOPER else AccessLevel.READ
        is_open = about.get("visibility") in ("public", "internal")
        # Asked with an account, which internal projects are open to.
        is_shown = about.get("repository_access_level") == "enabled"
        return AccessLevel.READ if is_open and is_shown else AccessLevel.NONE

    def moved_path(self, target: str) -> str:
        """The path in the API of a project that has moved; empty when *target* is none."""
        _, _, name = target.partition("/api/v4/projects/")
        name = unquote(name)
        return (
            f"/projects/{quote(name, safe='')}"
            if name.isdecimal() or is_repository_name(name)
            else ""
        )


def _role(project: Mapping[str, Any], place: str) -> int:
    said = (project.get("permissions") or {}).get(place) or {}
    found = said.get("access_level")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
