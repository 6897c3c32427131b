"""Protocols of a forge's accounts: who somebody is there, what they may do, and how they sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class SignInRequest:
    """A sign-in that has begun.

    :param url: where the person's browser goes.
    :param state: what the forge sends back with the code.
    :param verifier: what proves that the code comes back to whoever began (PKCE).
    """

    url: str
    state: str
    verifier: str


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What an account lets this server do in its name.

    :param credential: the value of an ``Authorization`` header.
    :param refresh: with which it is renewed; empty where it cannot be.
    :param expires: when the credential ends, seconds since 1970; 0 for never.
    """

    credential: str
    refresh: str = ""
    expires: float = 0.0


class ForgeSignIn(Protocol):
    """Sign-in with the accounts of a forge, in a browser (OAuth2 with an authorization code)."""

    def begin(self) -> SignInRequest:
        """Where to send a person who wants to sign in."""
        ...

    def finish(self, code: str, verifier: str) -> Grant | None:
        """Exchange the code that came back; None when the forge declines it.

        :raises ForgeError: when the forge does not answer.
        """
        ...

    def renew(self, refresh: str) -> Grant | None:
        """A new credential; None when the forge declines.

        :raises ForgeError: when the forge does not answer.
        """
        ...

    def check(self) -> str:
        """What is wrong with the application on the forge, with the next step; empty for nothing."""
        ...
