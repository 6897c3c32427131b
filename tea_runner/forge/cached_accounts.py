"""What a forge says of accounts, kept for a minute in the memory of one process.

A person who lost the right to read a repository sees it for a minute more at most.  Errors are not kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from tea_runner.core.access import AccessLevel
from tea_runner.ports import ForgeAccounts

_FRESH = 60.0
#: Answers that are kept; beyond that all are asked for again.
_MOST = 20_000


class CachedAccounts:
    """A :class:`tea_runner.ports.ForgeAccounts` that asks another one at most once a minute.

    :param now: seconds of a clock that never goes back.
    """

    def __init__(self, accounts: ForgeAccounts, now: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._now = now
        self._kept: dict[tuple[bytes, str], tuple[float, object]] = {}

    def name(self, credential: str) -> str:
        """See :class:`tea_runner.ports.ForgeAccounts`."""
        mark = _mark(credential)
        known = self._get(mark, "")
        if known is None:
            known = self._accounts.name(credential)
            self._keep(mark, "", known)
        return str(known)

    def levels(self, credential: str, repositories: Sequence[str]) -> Mapping[str, AccessLevel]:
        """See :class:`tea_runner.ports.ForgeAccounts`."""
        mark = _mark(credential)
        known = {each: self._get(mark, each) for each in repositories}
        asked = [each for each, level in known.items() if level is None]
        found = self._accounts.levels(credential, asked) if asked else {}
        for each, level in found.items():
            self._keep(mark, each, level)
        return {
            each: AccessLevel.NONE if level is None else level
            for each in repositories
            for level in [found.get(each, known[each])]
            if level is None or isinstance(level, AccessLevel)
        }

    def _get(self, mark: bytes, repository: str) -> object:
        until, answer = self._kept.get((mark, repository), (0.0, None))
        return answer if self._now() < until else None

    def _keep(self, mark: bytes, repository: str, answer: object) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[mark, repository] = (self._now() + _FRESH, answer)


def _mark(credential: str) -> bytes:
    """What stands for a credential in memory."""
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()
