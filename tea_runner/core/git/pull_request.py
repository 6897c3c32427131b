"""A pull request as the forge lists it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: Refs of the newest commits of pull requests, here and on most forges; ``*`` stands for the number.
PULL_HEADS = "refs/pull/*/head"


def head_name(ref: str, pattern: str) -> str:
    """The name here of a ref that the forge has by *pattern*; other refs keep theirs."""
    found = re.fullmatch(re.escape(pattern).replace(r"\*", "([0-9]+)"), ref)
    return PULL_HEADS.replace("*", found[1]) if found else ref


@dataclass(frozen=True, kw_only=True)
class ListedPullRequest:
    """A pull request; all texts are its author's, or the forge's."""

    number: int
    title: str
    author: str
    url: str
    #: Its description.
    text: str = ""
    #: Its newest commit, the branch that has it, and the repository of that branch; empty when unknown.
    commit: str = ""
    branch: str = ""
    source: str = ""
    #: The branch that it is to be merged into.
    target: str = ""
    state: Literal["open", "merged", "closed"] = "open"
    #: Whether the account of tea-runner has opened it.
    own: bool = False
