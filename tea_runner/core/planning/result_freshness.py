"""Freshness of results in a commit: which are current, stale, missing or orphaned.

Keys alone decide: nothing is run, and no other commit is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from tea_runner.core.datums.datum_keys import KeyBase
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.results.manifest import Manifest

#: current: the results are those that the command would make now; stale: they are not; missing: there
#: are none; orphaned: there is no such datum any more; recovered: ``err_cmd`` succeeded in place of
#: the command, so that there are none; waiting: a trigger of its input holds back what would change it.
FreshnessState = Literal["current", "recovered", "stale", "missing", "orphaned", "waiting"]
#: Why a result is stale.
Cause = Literal[
    "",
    "input",
    "command",
    "code",
    "environment",
    "parameters",
    "spec",
    "output",
    "edited",
    "unproven",
]

CAUSES: dict[Cause, str] = {
    "": "",
    "input": "an input has changed",
    "command": "the command has changed",
    "code": "a code file has changed",
    "environment": "the environment has changed",
    "parameters": "a parameter (env, user, salt) has changed",
    "spec": "the pipeline file puts its outputs into another directory",
    "output": "its outputs are missing from the tree",
    "edited": "its outputs were changed by hand; the next push puts the result back",
    "unproven": "no trusted signature covers it, or it was computed under other conditions",
}


class DatumFreshness(NamedTuple):
    """The freshness of one datum's results."""

    datum: str
    state: FreshnessState
    #: Of several causes, the first in the order of :data:`CAUSES`.
    cause: Cause
    #: Paths of its results below the pipeline's home.
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PipelineFreshness:
    """The results below one home."""

    #: The pipeline's name; the directory of results without a pipeline.
    name: str
    home: str
    datums: tuple[DatumFreshness, ...] = ()
    #: Whether a pipeline has this home.
    owned: bool = True
    #: Names of pipelines that it reads and whose own results are not current.
    behind: tuple[str, ...] = ()
    #: Why its datums are unknown, if they are.
    problem: str = ""
    #: What triggers of its inputs wait for; empty where they hold back nothing.
    waits: str = ""

    @property
    def current(self) -> bool:
        """Whether everything is as a push would leave it."""
        return (
            self.owned
            and not self.problem
            and not self.behind
            and all(each.state in ("current", "recovered", "waiting") for each in self.datums)
        )

    def held_back(self, waits: str) -> PipelineFreshness:
        """The same where triggers hold back all that has come or gone.

        :param waits: what they wait for.
        """
        datums = tuple(
            each._replace(state="waiting", cause="")
            if each.state in ("missing", "orphaned") or each.cause == "input"
            else each
            for each in self.datums
        )
        return replace(self, datums=datums, waits=waits)


def datum_freshness(
    keyed: Sequence[KeyedDatum],
    shared: KeyBase,
    before: Manifest,
    lost: Collection[str] = (),
    edited: Collection[str] = (),
    unproven: Collection[str] = (),
) -> tuple[DatumFreshness, ...]:
    """Every datum, in order, then results without a datum.

    :param lost: datums some of whose outputs are not in the tree.
    :param edited: datums some of whose outputs have another content or mode in the tree.
    :param unproven: datums whose rows are no known results.
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
        elif item.label in edited:
            found.append(DatumFreshness(item.label, "stale", "edited", row.paths))
        elif item.label in unproven:
            found.append(DatumFreshness(item.label, "stale", "unproven", row.paths))
        elif row.state == "recovered":
            found.append(DatumFreshness(item.label, "recovered", "", row.paths))
        else:
            found.append(DatumFreshness(item.label, "current", "", row.paths))
    labels = {item.label for item in keyed}
    found += [
        DatumFreshness(row.datum, "orphaned", "", row.paths)
        for row in before.rows
        if row.datum not in labels
    ]
    return tuple(found)


def _changed_part(shared: KeyBase, before: Manifest) -> Cause:
    """The shared part of the keys that has changed; empty when only inputs have."""
    parts = shared.parts
    names: tuple[Cause, ...] = ("command", "code", "environment", "parameters")
    for name in names:
        if before.parts.get(name, parts[name]) != parts[name]:
            return name
    return ""
