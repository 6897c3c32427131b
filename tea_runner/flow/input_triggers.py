"""Inputs with a trigger at a commit: what has arrived since results were made, and what that starts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tea_runner.core.errors import OutsideError, Refused, TeaError
from tea_runner.core.git.tree import SUBMODULE, TREE, TreeEntry, differences, lookup
from tea_runner.core.pipeline import Pfs, pfs_leaves
from tea_runner.core.planning.input_trigger import (
    MOST_COMMITS,
    InputState,
    PlanningTime,
    Wait,
    wait_of,
)
from tea_runner.core.planning.plan import Plan
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.planning.tick_names import tick_name
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import InputLocation, join
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.read_manifest_statement import inputs_commit


@dataclass(frozen=True, kw_only=True)
class PipelineTriggers:
    """The inputs of one pipeline that have a trigger, as a plan found them."""

    pipeline: str
    #: By name of the input.
    states: dict[str, InputState]
    #: What they wait for; empty when enough of them have fired, or none has anything new.
    waits: tuple[Wait, ...] = ()
    #: Whether all of that is needed, or one of it.
    needs_all: bool = False

    @property
    def sentence(self) -> str:
        """Why nothing runs; empty where it may."""
        joint = "; and " if self.needs_all else "; or "
        return joint.join(dict.fromkeys(wait.sentence for wait in self.waits))

    @property
    def due(self) -> datetime | None:
        """When to plan again although nothing changes."""
        dues = [wait.due for wait in self.waits if wait.due is not None]
        if self.needs_all:
            return max(dues) if dues and len(dues) == len(self.waits) else None
        return min(dues, default=None)


def look_at_triggers(
    tip: CommitReader, inputs: PipelineInputs, before: Manifest
) -> PipelineTriggers | None:
    """The triggers of a pipeline; None without one, or where no time is known.

    Costs nothing where the inputs are as they were at the last look; else one read of each commit since,
    with the trees above the inputs, and the change of the inputs where ``size`` is asked for.
    """
    time = tip.tree.time
    leaves = [
        (leaf, location)
        for leaf, location in zip(pfs_leaves(inputs.pipeline.input), inputs.locations, strict=True)
        if leaf.trigger is not None
    ]
    if time is None or not leaves:
        return None
    states: dict[str, InputState] = {}
    waits: list[Wait] = []
    is_due = False
    needs_all = inputs.pipeline.needs_all_triggers
    for leaf, location in leaves:
        state = _look(tip, inputs, leaf, location, before, time)
        assert leaf.trigger is not None
        size = _new_bytes(tip, location, state) if leaf.trigger.size and state.is_new else 0
        wait = wait_of(leaf.trigger, state, size, time)
        if wait is None and needs_all and not state.is_new:
            wait = Wait(lacking=(f"something new in {leaf.name}",))
        if wait is not None:
            waits.append(wait)
        is_due = is_due or (wait is None and state.is_new)
        states[leaf.name] = state
    if not any(state.is_new for state in states.values()) or (is_due and not needs_all):
        waits = []
    return PipelineTriggers(
        pipeline=inputs.pipeline.name, states=states, waits=tuple(waits), needs_all=needs_all
    )


def planning_time(clock: ScheduleClock | None) -> PlanningTime | None:
    """The time at which triggers of inputs are looked at; None where no clock runs."""
    if clock is None or clock.present is None:
        return None
    return PlanningTime(now=clock.present(), zone=clock.zone)


def with_triggers(
    tip: CommitReader, book: TickBook, found: Mapping[str, PipelineTriggers], plan: Plan
) -> TickBook:
    """The book with what a plan has found of triggers; the same one where nothing is new."""
    time = tip.tree.time
    for name, triggers in found.items() if time is not None else ():
        row = plan.find(name)
        settled = row is not None and row.state == "settled" and row.reason is None
        for leaf, state in triggers.states.items():
            if settled:
                assert time is not None
                state = state.taken_now(time.now)
            elif not triggers.waits and state.is_new:
                state = state.firing()
            book = book.with_input((name, leaf), state)
    return book


def holds(triggers: PipelineTriggers, inputs: PipelineInputs, before: Manifest) -> bool:
    """Whether triggers hold a pipeline back: they wait, and nothing else differs from its results."""
    if not triggers.waits:
        return False
    if inputs.trigger:
        return not before.count or before.parts.get("trigger") == inputs.trigger
    # All inputs have a trigger.
    parts = inputs.shared.parts.items()
    return not before.count or all(before.parts.get(name) == value for name, value in parts)


def _look(
    tip: CommitReader,
    inputs: PipelineInputs,
    leaf: Pfs,
    location: InputLocation,
    before: Manifest,
    time: PlanningTime,
) -> InputState:
    name = (inputs.pipeline.name, leaf.name)
    commit, seen = tip.tree.commit, _id_at(tip, tip.tree.root, location)
    known = tip.tree.triggers.get(name)
    if known is not None:
        changed = seen != known.seen
        commits = _changes(tip, location, known.seen_commit, known.seen) if changed else 0
        return known.looked_at(seen, commit, commits, time.now)
    now = tick_name(time.now)
    base = inputs_commit(tip.tree, inputs.pipeline.home) if before.count else ""
    taken = ""
    if base:
        try:
            taken = _id_at(tip, tip.tree.objects.commit(base).tree, location)
        except (OutsideError, Refused):  # pushed away since
            base = ""
    commits = _changes(tip, location, base, taken) if seen != taken else 0
    return InputState(
        seen=seen,
        seen_commit=commit,
        seen_at=now,
        taken=taken,
        taken_commit=base,
        taken_at=now,
        commits=commits,
    )


def _path(location: InputLocation) -> str:
    return join(location.dataset, location.prefix)


def _id_at(tip: CommitReader, root: str, location: InputLocation) -> str:
    """An id of what is at a location in a root tree, without the results of pipelines."""
    path = _path(location)
    entry = _follow(tip, root, path)
    if entry is None:
        return ""
    inner = [join(location.dataset, each).rstrip("/") for each in location.skip]
    own = [each[len(path) :].lstrip("/") for each in inner if each.startswith(path)]
    return _without(tip, entry, [each for each in own if each]) if own else entry.oid


def _follow(tip: CommitReader, root: str, path: str) -> TreeEntry | None:
    """The entry at a path; of a subdataset above it, its pin."""
    entry = TreeEntry(TREE, root)
    for part in path.split("/") if path else ():
        if entry.mode == SUBMODULE:
            return entry
        if entry.mode != TREE:
            return None
        found = tip.tree.objects.tree(entry.oid).get(part)
        if found is None:
            return None
        entry = found
    return entry


def _without(tip: CommitReader, entry: TreeEntry, skip: list[str]) -> str:
    if entry.mode != TREE:
        return entry.oid
    digest = hashlib.sha256()
    for name, child in tip.tree.objects.tree(entry.oid).items():
        below = [each.partition("/")[2] for each in skip if each.partition("/")[0] == name]
        if "" in below:
            continue
        oid = _without(tip, child, below) if below else child.oid
        digest.update(f"{name}\0{child.mode}\0{oid}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:40]


def _changes(tip: CommitReader, location: InputLocation, since: str, was: str) -> int:
    """How many commits of the branch changed a location, after another commit or what it had.

    :param since: the commit; empty for the beginning.
    :param was: the id of what was there.
    """
    count, ids = 0, _ids(tip, location)
    newer = next(ids)[1]
    for commit, at in ids:
        count += at != newer
        newer = at
        if at == was or commit == since or count >= MOST_COMMITS:
            return count
    # The branch begins here; or what was there was pushed away, so that its changes cannot be counted.
    return 1 if since else count + (newer != was)


def _ids(tip: CommitReader, location: InputLocation) -> Iterator[tuple[str, str]]:
    commit = tip.tree.commit
    for _ in range(MOST_COMMITS):
        try:
            facts = tip.tree.objects.commit(commit)
            yield commit, _id_at(tip, facts.tree, location)
        except (OutsideError, Refused):  # a shallow clone ends here
            return
        if not facts.parents:
            return
        commit = facts.parents[0]


def _new_bytes(tip: CommitReader, location: InputLocation, state: InputState) -> int:
    """Bytes of files at a location that are new or different since results were made."""
    read = location.tip.tree.objects.tree
    old = _former_tree(tip, location, state.taken_commit)
    total = 0
    for path, _, entry in differences(read, old, location.tree):
        if entry is None or entry.mode == SUBMODULE or path.startswith(location.skip):
            continue
        try:
            total += max(location.tip.fact(join(location.prefix, path)).content.size, 0)
        except TeaError:
            # What is no data, such as a link that leads nowhere.
            continue
    return total


def _former_tree(tip: CommitReader, location: InputLocation, commit: str) -> str:
    """The tree of a location at another commit; empty where there was none, or it is not there any more."""
    objects = tip.tree.objects
    try:
        root = objects.commit(commit).tree if commit else ""
        if root and location.dataset:
            pin = lookup(objects.tree, root, location.dataset)
            objects = location.tip.tree.objects
            known = pin is not None and pin.mode == SUBMODULE
            root = objects.commit(pin.oid).tree if pin is not None and known else ""
        found = lookup(objects.tree, root, location.prefix) if root else None
    except (OutsideError, Refused):
        return ""
    return found.oid if found is not None and found.mode == TREE else ""
