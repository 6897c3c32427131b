"""Limits of the jobs that run at once, as the operator writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_RULE = re.compile(r"([A-Za-z0-9._*?~-]+(?:/[A-Za-z0-9._*?~-]+)*)=([1-9][0-9]{0,3})")


@dataclass(frozen=True, kw_only=True)
class RunningLimit:
    """Each repository that a pattern matches, or each owner, has so many running jobs at most.

    A pattern without a slash is one of owners: what precedes the first slash of a repository's name.
    """

    pattern: str
    jobs: int


def parse_limits(texts: Iterable[str]) -> Sequence[RunningLimit]:
    """Rules such as ``lab/big=4`` or, for all repositories of an owner together, ``lab=10``.

    Of the rules of repositories the first that matches counts, and so it is with those of owners.

    :raises ValueError: with the text that is no rule.
    """
    found = []
    for text in texts:
        match = _RULE.fullmatch(text)
        if match is None:
            raise ValueError(text)
        found.append(RunningLimit(pattern=match[1], jobs=int(match[2])))
    return found
