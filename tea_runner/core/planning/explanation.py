"""What is known of one datum or one path, as values: who made it, why it runs or does not, what changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from tea_runner.core.planning.plan import Action
from tea_runner.core.planning.reasons import Reason


class Change(NamedTuple):
    """A file that a datum's command sees, then and now; an empty text where it was or is not there."""

    kind: Literal["input", "code", "field"]
    #: Path in the dataset, or the field of the pipeline file.
    path: str
    before: str
    after: str


class Made(NamedTuple):
    """The commit whose record made a path."""

    commit: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One datum of one pipeline at one commit."""

    pipeline: str
    datum: str
    key: str
    action: Action
    reason: Reason
    detail: str = ""
    #: Where the manifest's rows were computed from; empty where it has no row for the datum.
    inputs_at: str = ""
    key_before: str = ""
    changes: tuple[Change, ...] = ()
    #: Said when the changes cannot be named.
    unknown: str = ""
    #: Paths in the dataset of the results that stand in the tree.
    outputs: tuple[str, ...] = ()
    made: Made | None = None
    #: Pipelines that read this one's results.
    readers: tuple[str, ...] = ()
