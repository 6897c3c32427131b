"""A pull request as the forge lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
