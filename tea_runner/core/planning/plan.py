"""Plans: for each datum a decision with its reason, for each pipeline a state.

A plan is a value; :mod:`~tea_runner.flow.plan_and_publish` acts on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

from tea_runner.core.datums.datum_keys import KeyBase
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.pipeline import Pipeline, cron_leaves
from tea_runner.core.planning.reasons import Reason
from tea_runner.core.planning.recorded_environment import changed_variables, moved_image
from tea_runner.core.planning.states import PlanState
from tea_runner.core.planning.tick_names import tick_entries
from tea_runner.core.results.manifest import Manifest, Row

Action = Literal["current", "reuse", "run", "wait", "failed", "blocked"]

#: What holds a known result: the ref of a job that is not settled yet, a manifest of this dataset, or
#: a manifest of another repository.
Source = Literal["job", "manifest", "other repository"]


class KeyedDatum(NamedTuple):
    """A datum by its label, its key, and the directory of its outputs below the home."""

    label: str
    key: str
    place: str


class KnownResult(NamedTuple):
    """Where the result of a key can be read."""

    source: Source
    #: The job's ref, the results commit, or ``owner/name@commit``.
    location: str
    #: Whether ``err_cmd`` recovered it, so that it has no outputs.
    recovered: bool = False


class Decision(NamedTuple):
    """The action for one datum, with its reason."""

    label: str
    key: str
    place: str
    action: Action
    reason: Reason
    #: Of a reused result, its location; else more about the reason.
    detail: str = ""
    #: Of a reused result, what holds it.
    source: Source | None = None


@dataclass(frozen=True, kw_only=True)
class PipelinePlan:
    """All decisions of one pipeline."""

    pipeline: Pipeline
    state: PlanState
    decisions: tuple[Decision, ...] = ()
    #: Why the pipeline as a whole waits or is blocked.
    reason: Reason | None = None
    detail: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    #: The counts, if they were computed with the decisions.
    counted: Mapping[str, int] | None = None
    #: Of the counts, how many datums of each action ``err_cmd`` recovered.
    recovered: Mapping[str, int] = field(default_factory=dict)
    #: If an incremental plan has them: the decisions other than "current", and the removed datums.
    moved: tuple[Decision, ...] | None = None
    removed: tuple[str, ...] | None = None

    @property
    def counts(self) -> Counter[str]:
        """How many datums have each action; they add up to the number of datums."""
        if self.counted is not None:
            return Counter(self.counted)
        return Counter(decision.action for decision in self.decisions)

    @property
    def state_counts(self) -> Counter[str]:
        """The counts with recovered datums apart, as the word ``recovered``."""
        counted = self.counts
        counted.subtract(self.recovered)
        counted["recovered"] += sum(self.recovered.values())
        return +counted

    @cached_property
    def moving(self) -> tuple[Decision, ...]:
        """The decisions of datums that do not just stay as they are."""
        if self.moved is not None:
            return self.moved
        return tuple(d for d in self.decisions if d.action != "current")

    @property
    def to_run(self) -> tuple[Decision, ...]:
        """The datums that need a worker."""
        return tuple(d for d in self.moving if d.action == "run")

    def gone(self, before: Manifest) -> tuple[str, ...]:
        """Datums of the manifest *before* whose outputs are removed when this plan is settled."""
        failed = [d.label for d in self.moving if d.action in ("failed", "wait")]
        if self.removed is not None:
            return tuple(
                datum for datum in (*self.removed, *failed) if before.row(datum) is not None
            )
        stay = {d.label for d in self.decisions}.difference(failed)
        return tuple(row.datum for row in before.rows if row.datum not in stay)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plans of all pipelines of a commit, each after those that it reads."""

    commit: str
    pipelines: tuple[PipelinePlan, ...]
    #: Problems of pipeline files that keep pipelines from being planned.
    problems: tuple[str, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether a push of this commit would run or publish anything."""
        return any(plan.state not in ("settled", "blocked") for plan in self.pipelines)

    def find(self, name: str) -> PipelinePlan | None:
        """The plan of the pipeline of that name."""
        return next((plan for plan in self.pipelines if plan.pipeline.name == name), None)


def decide(
    pipeline: Pipeline,
    keyed: Sequence[KeyedDatum],
    shared: KeyBase,
    before: Manifest,
    *,
    known: Mapping[str, KnownResult],
    missing_outputs: Collection[str] = (),
    edited_outputs: Collection[str] = (),
    unproven: Collection[str] = (),
    failures: Mapping[str, str] | None = None,
    broken: Mapping[str, str] = MappingProxyType({}),
    missing: Mapping[str, str] | None = None,
    forced: Collection[str] = (),
    recomputed: Mapping[str, str] | None = None,
) -> PipelinePlan:
    """The plan of one pipeline whose inputs are all known.

    :param before: the manifest at the commit.
    :param known: key to the location of its known result.
    :param missing_outputs: labels whose outputs, in spite of the manifest, are not in the tree.
    :param edited_outputs: labels with outputs that have another content or mode in the tree.
    :param unproven: labels whose rows in the manifest are no known results.
    :param failures: key to the sentence with which its last attempt failed for good.
    :param broken: key to the sentence that says which link among its inputs cannot be followed.
    :param missing: key to the sentence that says that its inputs have no content anywhere yet.
    :param forced: keys to compute although they are known.
    :param recomputed: such keys that were computed, to the job's ref.
    """
    ticked = _new_ticks(pipeline, before)
    open_labels = {*missing_outputs, *edited_outputs, *unproven}
    failures, missing, recomputed = failures or {}, missing or {}, recomputed or {}
    find = before.finder(len(keyed))
    decisions = []
    first: dict[str, str] = {}
    for item in keyed:
        row = find(item.label)
        action: Action
        reason: Reason
        source: Source | None = None
        if item.key in forced:
            action, reason, detail = "run", "forced", ""
        elif item.key in recomputed:
            action, reason, detail = "reuse", "forced", recomputed[item.key]
            source = "job"
        elif _is_current(row, item) and item.label not in open_labels:
            action, reason, detail = "current", known_reason(row), ""
        elif item.key in known:
            source, detail, is_recovered = known[item.key]
            action, reason = "reuse", "recovered" if is_recovered else "known"
            if item.label in edited_outputs and _is_current(row, item):
                reason = "edited"
        elif item.key in broken:
            action, reason, detail = "failed", "broken-link", broken[item.key]
        elif item.key in failures:
            action, reason, detail = "failed", "failed", failures[item.key]
        elif item.key in missing:
            action, reason, detail = "wait", "content-missing", missing[item.key]
        elif item.key in first:
            action, reason, detail = "reuse", "same-content", first[item.key]
        else:
            action = "run"
            reason, detail = _why(pipeline, row, item, shared, before)
            if reason == "new" and ticked and not ticked.isdisjoint(tick_entries(item.label)):
                reason = "tick"
            if reason == "result-missing" and item.label in unproven:
                reason = "result-unproven"
            elif reason == "result-missing" and item.label in edited_outputs:
                reason = "edited"
            first[item.key] = item.label
        decisions.append(fast_new(Decision, (*item, action, reason, detail, source)))
    counted: Counter[str] = Counter(decision.action for decision in decisions)
    return PipelinePlan(
        pipeline=pipeline,
        state=plan_state(pipeline, counted, before),
        decisions=tuple(decisions),
        parts=shared.parts,
        counted=counted,
        recovered=recovered_counts(decisions),
    )


def _new_ticks(pipeline: Pipeline, before: Manifest) -> set[str]:
    """The ticks of a pipeline, as entries of labels, that its manifest does not have.

    Without a schedule this costs nothing; else what it costs to look at all rows.
    """
    entries = {
        f"{schedule.name}:{tick}"
        for schedule in cron_leaves(pipeline.input)
        for tick in schedule.ticks or ()
    }
    if entries:
        for row in before.rows:
            entries.difference_update(tick_entries(row.datum))
    return entries


def known_reason(row: Row | None) -> Reason:
    """Why a datum with this row of the manifest needs nothing."""
    return "recovered" if row is not None and row.state == "recovered" else "current"


def recovered_counts(decisions: Iterable[Decision]) -> Mapping[str, int]:
    """How many datums of each action ``err_cmd`` recovered."""
    return Counter(each.action for each in decisions if each.reason == "recovered")


def _why(
    pipeline: Pipeline, row: Row | None, item: KeyedDatum, shared: KeyBase, before: Manifest
) -> tuple[Reason, str]:
    if row is None:
        return "new", ""
    if _is_current(row, item):
        return "result-missing", ""
    for name, value in shared.parts.items():
        if before.parts.get(name, value) != value:
            moved = moved_image(before, pipeline) if name == "environment" else None
            if moved is not None:
                return "image-moved", " → ".join(digest[:19] for digest in moved)
            variables = changed_variables(before, pipeline) if name == "parameters" else ""
            if variables:
                return "parameters-changed", variables
            names: dict[str, Reason] = {
                "command": "command-changed",
                "code": "code-changed",
                "environment": "environment-changed",
                "parameters": "parameters-changed",
            }
            return names[name], f"{before.parts[name][:8]} → {value[:8]}"
    return "input-changed", ""


def _is_current(row: Row | None, item: KeyedDatum) -> bool:
    return row is not None and row.key == item.key and row.place == item.place


def plan_state(pipeline: Pipeline, counted: Counter[str], before: Manifest) -> PlanState:
    """The state of a pipeline whose datums were decided.

    :param counted: how many datums have each action.
    :param before: the manifest at the commit.
    """
    if counted["run"] or (counted["wait"] and pipeline.on_failure == "fail"):
        return "running"
    if counted["failed"] and pipeline.on_failure == "fail":
        return "failed"
    # With on_failure: publish, datums without content are left out until it comes.
    published = counted.total() - counted["failed"] - counted["wait"]
    gone = published != before.count
    if not gone and counted["current"] == published:
        if counted["wait"]:
            return "running"
        return "failed" if counted["failed"] else "settled"
    return "ready"
