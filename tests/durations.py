"""Texts without the durations in them, to compare with what is expected."""

from __future__ import annotations

import re


def without_duration(text: str) -> str:
    """``1 done in 0.4 s`` as ``1 done``."""
    return re.sub(r" in [\d.]+ (s|min( \d+ s)?)(?=$|[;:])", "", text)
