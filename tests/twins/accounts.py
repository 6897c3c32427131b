"""Accounts of a forge, and sessions, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tea_runner.core.access import AccessLevel
from tea_runner.core.errors import ForgeError
from tea_runner.web.access_dependencies import AccessDependencies


class MemoryAccounts:
    """Accounts whose state is this object; *reachable* says whether the forge answers."""

    def __init__(self) -> None:
        self.reachable = True
        #: Names or repositories that were asked for, in order.
        self.asked: list[str] = []
        self._names: dict[str, str] = {}
        self._levels: dict[tuple[str, str], AccessLevel] = {}

    def add(self, name: str, token: str) -> str:
        """Make an account with a token; returns its credential."""
        self._names[f"token {token}"] = name
        return f"token {token}"

    def let(self, name: str, repository: str, level: AccessLevel) -> None:
        """Let an account do this in a repository."""
        self._levels[name, repository] = level

    def name(self, credential: str) -> str:
        """Name of the account."""
        self._ask("")
        return self._names.get(credential, "")

    def levels(self, credential: str, repositories: Sequence[str]) -> Mapping[str, AccessLevel]:
        """What a test let the account do."""
        for each in repositories:
            self._ask(each)
        name = self._names.get(credential, "")
        return {each: self._levels.get((name, each), AccessLevel.NONE) for each in repositories}

    def _ask(self, what: str) -> None:
        if not self.reachable:
            raise ForgeError("the forge does not answer")
        self.asked.append(what)


class MemorySessions:
    """Sessions in a dictionary."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}

    def begin(self, fields: Mapping[str, Any]) -> str:
        """Save a new session."""
        name = f"session-{len(self._kept)}"
        self._kept[name] = fields
        return name

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The fields of a session."""
        return self._kept.get(name)

    def change(self, name: str, fields: Mapping[str, Any]) -> None:
        """Save other fields."""
        if name in self._kept:
            self._kept[name] = fields

    def end(self, name: str) -> None:
        """Forget a session."""
        self._kept.pop(name, None)


class MemoryAttempts:
    """Nobody has failed."""

    def is_over(self, limits: Mapping[str, int]) -> bool:
        """Never."""
        return False

    def count(self, limits: Mapping[str, int]) -> None:
        """Forget it."""


def memory_access(accounts: MemoryAccounts | None = None) -> AccessDependencies:
    """People in memory; there are no runs and no jobs."""
    return AccessDependencies(
        accounts=accounts or MemoryAccounts(),
        sessions=MemorySessions(),
        attempts=MemoryAttempts(),
        tokens=MemorySessions(),
        key=b"key",
        token="operator-token",
        metrics_token="metrics-token",
        repository_of_run=lambda _: "",
        repository_of_job=lambda _: "",
    )
