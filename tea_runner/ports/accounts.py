"""Protocol of a forge's accounts: who somebody is there, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tea_runner.core.access import AccessLevel


class ForgeAccounts(Protocol):
    """Asks a forge about the holder of a credential.

    A credential is the value of an ``Authorization`` header.  Messages of errors hold nothing of a
    repository, as they are shown to whoever asked.
    """

    def name(self, credential: str) -> str:
        """Name of the account; empty when the forge does not accept the credential.

        :raises ForgeError: when the forge does not answer.
        """
        ...

    def levels(self, credential: str, repositories: Sequence[str]) -> Mapping[str, AccessLevel]:
        """What the account may do in each of these repositories.

        NONE for one that it may not read, that does not exist, or of which the forge does not say it, and
        for all of them when the forge does not accept the credential.

        :raises ForgeError: when the forge does not answer.
        """
        ...
