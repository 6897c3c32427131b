"""Why a datum runs or is known, what changed, and which commit made its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from tea_runner.core.planning.plan import Action
from tea_runner.core.planning.reasons import Reason


class Change(NamedTuple):
    """A file or field that a datum depends on, then and now; an empty text where it is absent."""

    kind: Literal["input", "code", "field"]
    #: Path in the dataset, or the field of the pipeline file.
    path: str
    before: str
    after: str


class Made(NamedTuple):
    """The commit that last wrote a path."""

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
    #: The commit from which the manifest's rows were computed; empty without a row for the datum.
    inputs_at: str = ""
    key_before: str = ""
    changes: tuple[Change, ...] = ()
    #: Why the changes are unknown, if they are.
    unknown: str = ""
    #: Paths in the dataset of its results in the tree.
    outputs: tuple[str, ...] = ()
    made: Made | None = None
    #: Name of the trusted signer of the manifest with its result; empty without one.
    signer: str = ""
    #: Pipelines that read this one's results.
    readers: tuple[str, ...] = ()
