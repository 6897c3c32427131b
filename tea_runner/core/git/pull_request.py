"""A pull request as the forge lists it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ListedPullRequest:
    """An open pull request; all texts are its author's, or the forge's."""

    number: int
    title: str
    author: str
    url: str
