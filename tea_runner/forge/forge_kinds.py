"""Clients by kind of forge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tea_runner.forge.bitbucket import BitbucketForge
from tea_runner.forge.bitbucket_accounts import BitbucketAccounts
from tea_runner.forge.folder import FolderForge
from tea_runner.forge.folder_without_accounts import FolderAccounts
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.gitea_accounts import GiteaAccounts
from tea_runner.forge.github import GitHubForge
from tea_runner.forge.github_accounts import GitHubAccounts
from tea_runner.forge.gitlab import GitLabForge
from tea_runner.forge.gitlab_accounts import GitLabAccounts
from tea_runner.forge.gogs import GogsForge
from tea_runner.ports import Forge, ForgeAccounts


@dataclass(frozen=True, kw_only=True)
class ForgeConnection:
    """Where a forge is and how to authenticate.

    :param token: access token; empty where none is needed.
    :param timeout: seconds to wait for a response.
    :param ca_file: certificates to trust instead of the system's.
    :param proxy: URL of the proxy to use; empty for none.
    """

    url: str
    token: str = ""
    timeout: float = 15.0
    ca_file: str = ""
    proxy: str = ""


def _rest(
    client: type[GiteaForge | GitLabForge | BitbucketForge],
) -> Callable[[ForgeConnection], Forge]:
    return lambda connection: client(
        connection.url,
        connection.token,
        timeout=connection.timeout,
        ca_file=connection.ca_file,
        proxy=connection.proxy,
    )


def _accounts(client: type[GiteaAccounts]) -> Callable[[ForgeConnection], ForgeAccounts]:
    return lambda connection: client(
        connection.url,
        timeout=connection.timeout,
        ca_file=connection.ca_file,
        proxy=connection.proxy,
    )


KINDS: Mapping[str, Callable[[ForgeConnection], Forge]] = {
    "gitea": _rest(GiteaForge),
    "gogs": _rest(GogsForge),
    "github": _rest(GitHubForge),
    "gitlab": _rest(GitLabForge),
    "bitbucket": _rest(BitbucketForge),
    "folder": lambda connection: FolderForge(Path(connection.url)),
}

#: Clients of the accounts, by kind of forge.
ACCOUNTS: Mapping[str, Callable[[ForgeConnection], ForgeAccounts]] = {
    "gitea": _accounts(GiteaAccounts),
    "gogs": _accounts(GiteaAccounts),
    "github": _accounts(GitHubAccounts),
    "gitlab": _accounts(GitLabAccounts),
    "bitbucket": _accounts(BitbucketAccounts),
    "folder": lambda _: FolderAccounts(),
}


def make_forge(kind: str, connection: ForgeConnection) -> Forge:
    """Make the client for this kind of forge."""
    return KINDS[kind](connection)


def make_accounts(kind: str, connection: ForgeConnection) -> ForgeAccounts:
    """Make the client of this kind of forge's accounts."""
    return ACCOUNTS[kind](connection)
