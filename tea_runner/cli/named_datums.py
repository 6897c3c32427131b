"""Datums that the words of a command line name, and what became of them in ``tea-runner run DATUM``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_pipelines
from tea_runner.core.datums.datum import is_label, shown_label
from tea_runner.core.datums.join_pipeline_and_datum_words import join_datum_words
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.plan import Decision
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.present.plan_text import decision_line
from tea_runner.present.visible_text import visible

#: Digits of a key that name a datum, at least.
_DIGITS = 8
_KNOWN = ("current", "reuse")


def named_datums(
    planned: PlannedCommit, names: tuple[str, ...]
) -> tuple[list[str], tuple[str, ...]]:
    """Keys or names of pipelines that the words mean, and the pipelines that have them.

    :param names: pipelines and datums; all pipelines when there is none.
    :raises NotFound: when a name is neither a pipeline nor a datum.
    """
    every = tuple(planned.works)
    labels = {name: [item.label for item in planned.works[name].keyed] for name in every}
    words: list[str] = []
    concerned: list[str] = []
    for name in join_datum_words(names, labels) or every:
        if name in planned.works:
            words.append(name)
            concerned.append(name)
            continue
        found = {
            item.key: pipeline
            for pipeline, inputs in planned.works.items()
            for item in inputs.keyed
            if is_label(name, item.label, pipeline)
            or (len(name) >= _DIGITS and item.key.startswith(name))
        }
        if not found:
            raise _not_found(planned, name)
        words += found
        concerned += found.values()
    return words, tuple(dict.fromkeys(concerned))


def _not_found(planned: PlannedCommit, name: str) -> NotFound:
    pipelines = planned.tip.pipelines
    broken = any(problem.is_error for problem in pipelines.problems)
    if broken or difflib.get_close_matches(name, [each.name for each in pipelines], 1):
        check_pipelines(planned.tip, (name,))
    return NotFound(
        f"there is no pipeline or datum {name}", hint="tea-runner datums lists the datums"
    )


@dataclass(frozen=True, kw_only=True)
class ChosenDatums:
    """Datums that are computed alone: the others of their pipelines are not."""

    pipelines: tuple[str, ...]
    #: What was planned of them before: (pipeline, decision) by key.
    before: Mapping[str, tuple[str, Decision]]

    @classmethod
    def choose(cls, planned: PlannedCommit, names: tuple[str, ...]) -> ChosenDatums | None:
        """The datums that words mean; None when all words are pipelines.

        :raises NotFound: when a word means nothing.
        """
        known = {pipeline.name for pipeline in planned.tip.pipelines}
        if known.issuperset(names):
            return None
        words, pipelines = named_datums(planned, names)
        before = {
            decision.key: (plan.pipeline.name, decision)
            for plan in planned.plan.pipelines
            for decision in plan.decisions
            if decision.key in words or plan.pipeline.name in words
        }
        return cls(pipelines=pipelines, before=before)

    def plan_lines(self) -> Iterator[str]:
        """A line for each, as a plan has them."""
        return (decision_line(name, decision) for name, decision in self.before.values())

    def report(
        self,
        context: Context,
        advance: BranchProgress,
        failed: Mapping[str, str],
        unsaved: Sequence[str],
    ) -> int:
        """Print what became of each; returns the exit code.

        :param failed: key to error.
        """
        after = {
            decision.key: decision
            for plan in advance.planned.plan.pipelines
            for decision in plan.decisions
        }
        rows = [
            {
                "pipeline": name,
                "datum": before.label,
                "key": key,
                "state": _state(before, after.get(key), failed.get(key, "")),
                "error": failed.get(key, ""),
            }
            for key, (name, before) in self.before.items()
        ]
        is_failed = any(row["state"] not in ("done", "reused") for row in rows)
        if context.as_json:
            document = {
                "commit": advance.commit,
                "datums": rows,
                "unsaved": unsaved,
                "results_branch": advance.results_branch,
            }
            click.echo(json.dumps(document, indent=1))
            return int(is_failed)
        for row in rows:
            word = {"done": "run(ok)", "reused": "reuse(ok)", "failed": "run(error)"}.get(
                row["state"], f"run({row['state']})"
            )
            line = f"{word}: {row['pipeline']} {shown_label(row['datum'])} {row['error']}"
            click.echo(visible(line).rstrip())
        for plan in advance.planned.plan.pipelines:
            left = [each for each in plan.decisions if each.action not in _KNOWN]
            others = sum(each.key not in self.before for each in left)
            if others and not context.quiet:
                what = "1 other datum" if others == 1 else f"{others} other datums"
                click.echo(
                    f"{what} of {plan.pipeline.name} are not computed yet: what is done is kept, and "
                    f"committed with them; tea-runner run {plan.pipeline.name} computes them",
                    err=True,
                )
        return int(is_failed)


def _state(before: Decision, after: Decision | None, error: str) -> str:
    if error:
        return "failed"
    if before.action in _KNOWN:
        return "reused"
    # A datum that is in no plan any more was computed, and published in an earlier round.
    return "done" if after is None or after.action in _KNOWN else after.action
