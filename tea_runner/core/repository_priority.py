"""Turns that repositories have relative to others, as the operator writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_RULE = re.compile(r"([A-Za-z0-9._*?~-]+(?:/[A-Za-z0-9._*?~-]+)+)=([1-9][0-9]{0,2})")
_MOST = 100


@dataclass(frozen=True, kw_only=True)
class RepositoryPriority:
    """Repositories that a pattern matches have so many turns while another one has one."""

    pattern: str
    turns: int


def parse_priorities(texts: Iterable[str]) -> Sequence[RepositoryPriority]:
    """Rules such as ``lab/urgent=4``; the first that matches a repository counts.

    :raises ValueError: with the text that is no rule.
    """
    found = []
    for text in texts:
        match = _RULE.fullmatch(text)
        if match is None or int(match[2]) > _MOST:
            raise ValueError(text)
        found.append(RepositoryPriority(pattern=match[1], turns=int(match[2])))
    return found
