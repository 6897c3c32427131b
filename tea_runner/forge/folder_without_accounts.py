"""Accounts of a folder of repositories: there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tea_runner.core.access import AccessLevel


class FolderAccounts:
    """See :class:`tea_runner.ports.ForgeAccounts`: who may read a folder is up to its file system."""

    def name(self, credential: str) -> str:  # noqa: ARG002
        """Empty: a folder accepts no credential."""
        return ""

    def levels(self, credential: str, repositories: Sequence[str]) -> Mapping[str, AccessLevel]:  # noqa: ARG002
        """NONE for all."""
        return dict.fromkeys(repositories, AccessLevel.NONE)
