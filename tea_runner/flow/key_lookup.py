"""What is known of keys outside the tree: results, failures, missing inputs, recompute requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tea_runner.core.git.branch_results_scope import results_prefix
from tea_runner.core.planning.plan import KeyedDatum, KnownResult, PipelinePlan, decide
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.result import Result
from tea_runner.core.results.signed_manifest_row import Accepts
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.edited_or_missing_outputs import ChangedOutputs
from tea_runner.flow.key_format_changes import name_format_changes
from tea_runner.flow.output_storage_digest import output_storage_digest
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.reuse_rule import Acceptance
from tea_runner.ports import Dataset, Failure

#: Of these keys, those that failed for good or lack content, with the sentence for people.
Sentences = Callable[[Sequence[str]], Mapping[str, str]]
#: Those of some keys that failed for good.
Failures = Callable[[Sequence[str]], Mapping[str, Failure]]


@dataclass(frozen=True, kw_only=True)
class Recompute:
    """Recompute requests for the datums of one pipeline."""

    #: Keys to compute although they are known, to the id of the request.
    due: Mapping[str, str] = field(default_factory=dict)
    #: Keys that were computed again, to the job's ref.
    done: Mapping[str, str] = field(default_factory=dict)
    #: Keys that failed when they were computed again: the id of the request, the sentence.
    failed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.due or self.done)


@dataclass(frozen=True, kw_only=True)
class KeyLookup:
    """Looks up keys for one plan."""

    dataset: Dataset
    tip: CommitReader
    #: Of the branch; only results that it may use are known.
    scope: str
    #: Decides which signed results count for a pipeline.
    acceptance: Callable[[PipelineInputs], Acceptance]
    #: Key to the job's ref and the result, of results that no results commit has yet.
    unsettled: Mapping[str, tuple[str, Result]]
    failures: Failures
    missing: Sentences
    #: Keys or names of pipelines to compute although they are known, to the id of the request.
    forced: Mapping[str, str]
    #: Keys that a manifest has, but whose files cannot be read any more.
    unreadable: Collection[str]

    @cached_property
    def _any_recomputed(self) -> bool:
        return any(result.salt for _, result in self.unsettled.values())

    def recompute(self, inputs: PipelineInputs) -> Recompute:
        """The recompute requests for a pipeline's datums."""
        if not self.forced and not self._any_recomputed:
            return Recompute()
        due: dict[str, str] = {}
        done: dict[str, str] = {}
        name = inputs.pipeline.name
        for key in dict.fromkeys(item.key for item in inputs.keyed):
            ref, result = self.unsettled.get(key, ("", None))
            request = self.forced.get(key) or self.forced.get(name, "")
            if request and (result is None or result.salt != request):
                due[key] = request
            elif result is not None and result.salt and ref.startswith(results_prefix(self.scope)):
                done[key] = ref
        failures = self.failures(list(due)) if due else {}
        failed = {key: each.sentence for key, each in failures.items()} | _broken(inputs, due)
        return Recompute(
            # After a failure the known result stays.
            due={key: request for key, request in due.items() if key not in failed},
            done=done,
            failed={key: (due[key], sentence) for key, sentence in failed.items()},
        )

    def decide(
        self,
        inputs: PipelineInputs,
        keyed: Sequence[KeyedDatum],
        before: Manifest,
        different: ChangedOutputs,
        recompute: Recompute,
        unproven: Collection[str] = (),
    ) -> PipelinePlan:
        """Decide datums of one pipeline.

        :param keyed: the datums to decide: all of *inputs*, or those that changed.
        :param before: the manifest at the commit.
        :param different: labels in the manifest with missing or edited outputs.
        :param unproven: labels in the manifest whose rows are no known results.
        """
        open_keys = _open_keys(keyed, before, {*different.missing, *different.edited, *unproven})
        known = self._known_results(open_keys, self.acceptance(inputs))
        unknown = [key for key in open_keys if key not in known]
        failures = self.failures(unknown) if unknown else {}
        standing = self._standing(inputs, keyed, failures) if failures else {}
        plan = decide(
            inputs.pipeline,
            keyed,
            inputs.shared,
            before,
            known=known,
            missing_outputs=different.missing,
            edited_outputs=frozenset(different.edited),
            unproven=unproven,
            failures=standing,
            broken=_broken(inputs, unknown),
            missing=self.missing(unknown) if unknown else {},
            forced=recompute.due,
            recomputed=recompute.done,
        )
        return name_format_changes(self.tip, inputs, plan, before)

    def _standing(
        self, inputs: PipelineInputs, keyed: Sequence[KeyedDatum], failures: Mapping[str, Failure]
    ) -> Mapping[str, str]:
        """The sentences of the failures that are still true with the attributes of where the outputs go."""
        bound = {key: each.attributes for key, each in failures.items() if each.attributes}
        if not bound:
            return {key: each.sentence for key, each in failures.items()}
        now: dict[str, set[str]] = {}
        rule, storages = self.dataset.default_largefiles(), self.dataset.storages()
        for item in keyed:
            if item.key in bound:
                directory = "/".join(filter(None, (inputs.pipeline.home, item.place)))
                digest = output_storage_digest(self.tip.tree, directory, rule, storages)
                now.setdefault(item.key, set()).add(digest)
        return {
            key: each.sentence
            for key, each in failures.items()
            if key not in bound or bound[key] in now.get(key, ())
        }

    def _known_results(self, keys: Sequence[str], accepts: Accepts) -> dict[str, KnownResult]:
        """Those of the keys that have a result, with its location."""
        jobs = {key: self.unsettled[key] for key in keys if key in self.unsettled}
        known = {
            key: KnownResult("job", ref, result.recovered) for key, (ref, result) in jobs.items()
        }
        rest = [key for key in keys if key not in known]
        signed = self.dataset.signed_results(rest, self.scope) if rest else {}
        for key, results in signed.items():
            accepted = next(filter(accepts, results), None)
            if accepted is not None and key not in self.unreadable:
                recovered = accepted.result.recovered
                known[key] = KnownResult("manifest", accepted.commit, recovered)
        rest = [key for key in rest if key not in known]
        elsewhere = self.dataset.known_in_other_repositories(rest) if rest else {}
        for key, location in elsewhere.items():
            if key not in self.unreadable:
                known[key] = KnownResult("other repository", location)
        return known


def _broken(inputs: PipelineInputs, keys: Collection[str]) -> dict[str, str]:
    """Those of the keys whose datums have links that cannot be followed, with the reason."""
    broken = inputs.broken
    return {key: broken[key] for key in keys if key in broken} if broken else {}


def _open_keys(
    keyed: Sequence[KeyedDatum], before: Manifest, open_labels: Collection[str]
) -> list[str]:
    """Keys of the datums that do not stay as the manifest says."""
    find, opened = before.finder(len(keyed)), set(open_labels)
    open_keys = []
    for label, key, place in keyed:
        row = find(label)
        # A datum that only moves to another directory is known, but its result has to be looked up.
        if row is None or row.key != key or row.place != place or label in opened:
            open_keys.append(key)
    return open_keys
