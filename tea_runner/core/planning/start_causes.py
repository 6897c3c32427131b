"""What starts pipelines besides pushes: ticks, people, and triggers of inputs that have fired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.recorded_ticks import TickBook

StartKind = Literal["schedule", "by hand", "input"]
START_KINDS: tuple[str, ...] = get_args(StartKind)


@dataclass(frozen=True, kw_only=True)
class PipelineStart:
    """One start, which a plan has recorded."""

    kind: StartKind
    pipeline: str
    #: The tick, or the commit whose files of an input are taken.
    event: str
    #: The person.
    by: str = ""


def starts_between(
    before: TickBook, after: TickBook, asked: Iterable[AskedTick]
) -> list[PipelineStart]:
    """What a plan has recorded, from the book before and after it.

    :param asked: what people asked for.
    """
    by_hand = {(each.pipeline, each.tick): each.by for each in asked}
    found = [
        PipelineStart(kind="by hand", pipeline=pipeline, event=tick, by=by)
        for (pipeline, tick), by in by_hand.items()
    ]
    for (pipeline, name), ticks in after.pending.items():
        new = set(ticks).difference(before.pending.get((pipeline, name), ()))
        found += [
            PipelineStart(kind="schedule", pipeline=pipeline, event=tick)
            for tick in sorted(new)
            if (pipeline, tick) not in by_hand
        ]
    people = {pipeline for pipeline, _ in by_hand}
    for (pipeline, name), state in after.inputs.items():
        known = before.inputs.get((pipeline, name))
        fired = state.fired and not (known is not None and known.fired)
        if fired and pipeline not in people:
            event = f"{name} of {state.seen_commit[:12]}"
            found.append(PipelineStart(kind="input", pipeline=pipeline, event=event))
    return found
