"""What the gate of the pages needs to know of people and repositories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tea_runner.ports import ForgeAccounts, ForgeSignIn
from tea_runner.wiring import Site


class KeptGrants(Protocol):
    """Sessions, or tokens, with what the forge granted to their people."""

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The fields of one; None when it is unknown or has ended."""
        ...

    def change(self, name: str, fields: Mapping[str, Any]) -> None:
        """Save other fields of one."""
        ...

    def end(self, name: str) -> None:
        """Forget one."""
        ...


class Sessions(KeptGrants, Protocol):
    """Sessions of people who signed in."""

    def begin(self, fields: Mapping[str, Any]) -> str:
        """Save a new session; returns its id."""
        ...


class Attempts(Protocol):
    """Failed attempts to sign in."""

    def is_over(self, limits: Mapping[str, int]) -> bool:
        """Whether one of these has failed too often."""
        ...

    def count(self, limits: Mapping[str, int]) -> None:
        """Count a failure of each."""
        ...


@dataclass(frozen=True, kw_only=True)
class AccessDependencies:
    """People, and the repositories of runs and jobs.

    :param key: secret that signs cookies.
    :param token: token of the operator.
    :param metrics_token: token of the metrics; empty for none.
    :param repository_of_run: the repository of a run's id; empty for an unknown one.
    :param repository_of_job: the same of a job.
    :param sign_in: None where the forge's accounts do not sign in by OAuth2.
    """

    accounts: ForgeAccounts
    sessions: Sessions
    attempts: Attempts
    tokens: KeptGrants
    key: bytes
    token: str
    metrics_token: str
    repository_of_run: Callable[[str], str]
    repository_of_job: Callable[[str], str]
    sign_in: ForgeSignIn | None = None


def access_dependencies(site: Site) -> AccessDependencies:
    """The parts of a site."""
    return AccessDependencies(
        accounts=site.accounts,
        sessions=site.sessions,
        attempts=site.sign_in_attempts,
        tokens=site.tokens,
        key=site.pages_key,
        token=site.pages_token,
        metrics_token=site.metrics_token,
        repository_of_run=site.runs.repository_of,
        repository_of_job=site.runs.repository_of_job,
        sign_in=site.sign_in,
    )
