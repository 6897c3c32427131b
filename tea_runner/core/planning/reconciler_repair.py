"""Something that the reconciler found and repaired."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Repair:
    """One repair: when, in seconds since 1970, and what, as a sentence."""

    time: float
    text: str
