"""Answers to questions about a commit: plan, status, why and lineage, as the verbs of a clone say them."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from tea_runner.broker.planner_query_store import LARGEST_ANSWER
from tea_runner.core.errors import NotFound, Refused, TeaError, UserError
from tea_runner.core.planning.explanation import Made
from tea_runner.core.planning.planner_query import RunQuestion
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.path_history import last_writer, last_writers
from tea_runner.flow.check_freshness import check_freshness
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.enqueue_jobs import unoffered_job
from tea_runner.flow.explain import explain, find
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.input_triggers import planning_time
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.output_branch import tips_with_results
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.flow.read_other_commit import files_at, other_commit
from tea_runner.flow.signed_manifest_rows import row_signer
from tea_runner.flow.trace_lineage import LineageTracer
from tea_runner.present.freshness_text import results_lines, results_rows
from tea_runner.present.lineage_text import down_lines, lineage_row, up_lines
from tea_runner.present.plan_text import plan_json, plan_lines
from tea_runner.present.visible_text import visible
from tea_runner.present.why_text import why_lines, why_row
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

#: Datums that an explanation is given of.
_EXPLAINED = 20


class OpenRepository(Protocol):
    """A repository that a planner has open."""

    @property
    def repository(self) -> ForgeDataset:
        """The dataset."""
        ...

    @property
    def planner(self) -> IncrementalPlanner:
        """For the tips of branches."""
        ...

    @property
    def reader(self) -> IncrementalPlanner:
        """For other commits: no registry is asked."""
        ...


class QuestionAnswers:
    """Answers questions with what the mirror has."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def answer(self, question: RunQuestion, opened: OpenRepository) -> None:
        """Put the answer where the asker finds it; an error is an answer, too.

        :raises QueueError: when Redis does not answer.
        """
        try:
            document: Mapping[str, Any] = _RunAnswer(self._site, question, opened).document()
            if len(json.dumps(document)) > LARGEST_ANSWER:
                raise UserError(
                    "the answer is too large", hint="ask about one pipeline, or a clone"
                )
        except TeaError as error:
            document = {"error": error.message, "status": error.http_status}
        self._site.questions.put_answer(question, document)


class _RunAnswer:
    """The answer to one question."""

    def __init__(self, site: Site, question: RunQuestion, opened: OpenRepository) -> None:
        self._site = site
        self._question = question
        self._dataset = opened.repository
        self._cache = opened.planner.cache
        commit = self._tip()
        self._planner = opened.planner if commit else opened.reader
        self._commit = commit or question.commit
        self._scope = self._dataset.scope(question.branch)

    def _tip(self) -> str:
        """The tip of the branch with its results, if the question's commit is the one that was pushed."""
        try:
            tips = tips_with_results(self._dataset, self._question.branch, self._cache)
        except Refused:
            return ""
        if tips is None:
            return ""
        tip = open_commit(self._dataset.objects, tips.planned, self._cache)
        return tips.planned if tip.tree.origin == self._question.commit else ""

    def document(self) -> dict[str, Any]:
        """:raises TeaError: when there is no answer."""
        kinds = {
            "plan": self._plan_answer,
            "status": self._status_answer,
            "why": self._why_answer,
            "lineage": self._lineage_answer,
        }
        lines, document = kinds[self._question.kind]()
        return {"commit": self._commit, "lines": lines, "document": document}

    def _reader(self) -> CommitReader:
        links, branch = self._dataset.subdatasets_of(self._scope), self._question.branch
        return open_commit(
            self._dataset.objects,
            self._commit,
            self._planner.cache,
            subdatasets=links,
            book=self._dataset.tick_book(branch) if branch else None,
            time=planning_time(self._site.clock(self._dataset.name, branch)),
        )

    def _plan(self) -> PlannedCommit:
        advancer = BranchAdvancer(
            dataset=self._dataset,
            queue=self._site.jobs,
            who=self._site.author,
            planner=self._planner,
            only=self._question.pipelines,
            throughput=functools.partial(self._site.throughputs.get, self._dataset.name),
            reuse_branches=self._site.settings.trust.reuse == "branch",
            clock=self._site.clock(self._dataset.name, self._question.branch),
        )
        return advancer.plan(self._commit, self._scope, self._question.branch)

    def _plan_answer(self) -> tuple[list[str], dict[str, Any]]:
        planned = self._plan()
        plan, offers = planned.plan, self._site.processes.offers()
        lacking = {
            each.pipeline.name: unoffered_job(planned, each.pipeline.name, offers)
            for each in plan.pipelines
            if each.to_run
        }
        lines = [f"{name}: {why}" for name, why in lacking.items() if why]
        document = dict(plan_json(plan, everything=False))
        return [*plan_lines(plan), *lines], document | ({"waits_for": lines} if lines else {})

    def _status_answer(self) -> tuple[list[str], dict[str, Any]]:
        reuse = self._site.settings.trust.reuse == "branch"
        found = check_freshness(
            self._dataset, self._reader(), self._question.pipelines, reuse_branches=reuse
        )
        return list(results_lines(found)), {"pipelines": results_rows(found, everything=False)}

    def _why_answer(self) -> tuple[list[str], dict[str, Any]]:
        planned, about = self._plan(), self._question.about
        meant = find(planned, about, about)
        if meant is None:
            raise NotFound(f"there is no datum or path {visible(about)} in {self._commit[:12]}")
        tip = planned.tip
        found = [
            explain(
                planned,
                pipeline,
                label,
                lambda commit: other_commit(tip, commit),
                lambda output: last_writer(self._dataset.repository, tip.tree.commit, output),
            )
            for pipeline, label in meant.datums[:_EXPLAINED]
        ]
        lines = [line for each in found for line in why_lines(each)]
        if len(meant.datums) > _EXPLAINED:
            lines.append(f"… and {len(meant.datums) - _EXPLAINED} more; name one of them")
        return lines, {"how": meant.how, "datums": [why_row(each) for each in found]}

    def _lineage_answer(self) -> tuple[list[str], dict[str, Any]]:
        tip, path = self._reader(), self._question.about.strip("/")
        tracer = LineageTracer(
            self._records,
            other_commit,
            lambda where, home, row: row_signer(self._dataset, where.tree, home, row),
        )
        files = files_at(tip, path)
        found = tracer.down(tip, path) if self._question.downstream else tracer.up(tip, files)
        lines = down_lines(found) if self._question.downstream else up_lines(found)
        return list(lines), lineage_row(found)

    def _records(self, tip: CommitReader, home: str) -> Mapping[str, Made]:
        linked = tip.tree.repository
        where = linked if isinstance(linked, GitDataset) else self._dataset
        return last_writers(where.repository, tip.tree.commit, home)
