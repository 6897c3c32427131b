"""Results that a pull request proposes: values, and a digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ProposedOutput:
    """One file."""

    #: In the dataset.
    path: str
    size: int
    #: Whether git holds it, so that the forge shows it without git-annex.
    in_git: bool


@dataclass(frozen=True, kw_only=True)
class ProposedDatum:
    """A datum whose results are new, changed or removed."""

    pipeline: str
    datum: str
    change: Literal["new", "changed", "removed"]
    key: str
    outputs: Sequence[ProposedOutput] = ()


def proposal_digest(datums: Sequence[ProposedDatum]) -> str:
    """16 hex digits that are the same for the same results, upon whatever commit."""
    rows = sorted((each.pipeline, each.datum, each.change, each.key) for each in datums)
    text = "\0".join("\0".join(row) for row in rows)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
