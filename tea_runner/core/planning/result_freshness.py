"""A pipeline's datums with their keys and its manifest in; which results are current, stale or orphaned out.

Keys alone decide: nothing is run, no other commit is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tea_runner.core.datums.keys import Base
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results.manifest import Manifest

#: current: the results are what the command would make now; stale: they are not; missing: there are
#: none; orphaned: there are some, but no such datum any more.
FreshnessState = Literal["current", "stale", "missing", "orphaned"]
#: By what a result became stale.
Cause = Literal["", "input", "command", "code", "environment", "parameters", "spec", "output"]

CAUSES: dict[Cause, str] = {
    "": "",
    "input": "an input has other content",
    "command": "the command is another one",
    "code": "a code file has other content",
    "environment": "the environment is another one",
    "parameters": "a parameter (env, user, salt) is another one",
    "spec": "the pipeline file puts its outputs elsewhere",
    "output": "its outputs are gone from the tree",
}


class DatumFreshness(NamedTuple):
    """How one datum's results stand."""

    datum: str
    state: FreshnessState
    #: The cause of staleness that comes first in the order of :data:`CAUSES`'s shared parts.
    cause: Cause
    #: Paths of its results below the pipeline's home.
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PipelineFreshness:
    """The results below one home."""

    #: The pipeline's name; of results without a pipeline, their directory.
    name: str
    home: str
    datums: tuple[DatumFreshness, ...] = ()
    #: Whether a pipeline is there that makes them.
    owned: bool = True
    #: Names of pipelines that it reads and whose own results are not current.
    behind: tuple[str, ...] = ()
    #: Why its datums cannot be told.
    problem: str = ""

    @property
    def current(self) -> bool:
        """Whether everything is as a push would leave it."""
        return (
            self.owned
            and not self.problem
            and not self.behind
            and all(each.state == "current" for each in self.datums)
        )


def datum_freshness(
    keyed: Sequence[KeyedDatum], shared: Base, before: Manifest, lost: Collection[str] = ()
) -> tuple[DatumFreshness, ...]:
    """Every datum, in order, then results that belong to none.

    :param lost: datums some of whose outputs are not in the tree.
    """
    rows = before.by_datum
    changed = _changed_part(shared, before)
    found = []
    for item in keyed:
        row = rows.get(item.label)
        if row is None:
            found.append(DatumFreshness(item.label, "missing", "", ()))
        elif row.key != item.key:
            found.append(DatumFreshness(item.label, "stale", changed or "input", row.paths))
        elif row.place != item.place:
            found.append(DatumFreshness(item.label, "stale", "spec", row.paths))
        elif item.label in lost:
            found.append(DatumFreshness(item.label, "stale", "output", row.paths))
        else:
            found.append(DatumFreshness(item.label, "current", "", row.paths))
    labels = {item.label for item in keyed}
    found += [
        DatumFreshness(row.datum, "orphaned", "", row.paths)
        for row in before.rows
        if row.datum not in labels
    ]
    return tuple(found)


def _changed_part(shared: Base, before: Manifest) -> Cause:
    """Which of the parts that all keys share is another one; empty when only inputs can be."""
    parts = shared.parts
    names: tuple[Cause, ...] = ("command", "code", "environment", "parameters")
    for name in names:
        if before.parts.get(name, parts[name]) != parts[name]:
            return name
    return ""
