"""What the web process is made of, handed to it whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flask import Blueprint

from tea_runner.core.hook import Hook
from tea_runner.ports import PlanRequests
from tea_runner.settings import Settings


class Hooks(Protocol):
    """Where hooks are looked up."""

    def get(self, hook_id: str) -> Hook | None:
        """The hook of this id, None when there is none."""
        ...

    def note_test(self, hook_id: str) -> None:
        """Remember that a test delivery arrived."""
        ...


def _nobody_counts(word: str) -> None:
    """What counting does when nobody counts."""


@dataclass(frozen=True, kw_only=True)
class WebDependencies:
    """Everything that requests may use.

    :param ready: name to a check that returns "" or what is wrong, each within a second.
    :param count: called once per delivery: the answer's word.
    :param blueprints: pages and the like.
    """

    settings: Settings
    hooks: Hooks
    requests: PlanRequests
    ready: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    count: Callable[[str], None] = _nobody_counts
    blueprints: tuple[Blueprint, ...] = ()
