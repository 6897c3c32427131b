"""How a branch stands in, its commit statuses on the forge out; each is posted once, and taken back.

What was said is remembered in Redis.  Where Redis knows nothing of a commit, the forge is asked what
stands there: it may have been said before Redis was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tea_runner.core.errors import ForgeError, TeaError
from tea_runner.core.planning.run import Run
from tea_runner.flow.advance_result import AdvanceResult
from tea_runner.ports import StatusState
from tea_runner.present import status_text
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

#: A state and the sentence beside it.
Row = tuple[StatusState, str]


class CommitStatuses:
    """Speaks to the forge about commits."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._runs = site.runs
        self._context = site.settings.status.context

    def post(self, run: Run, advance: AdvanceResult) -> bool:
        """Statuses of the pushed commit and of the branch's tip; whether the forge took them all.

        :param run: as it is remembered: it knows what earlier plans did.
        :raises QueueError: when Redis does not answer.
        """
        repository = run.repository
        target = f"{self._site.settings.web_url}/runs/{run.id}"
        rows = self._rows(advance, run)
        taken = True
        for commit in dict.fromkeys((advance.origin, *advance.results, advance.commit)):
            before = self._said(repository, commit)
            if before is None:
                # Later, when it is known what may have to be taken back.
                taken = False
                continue
            # An obstacle that is gone does not leave a red mark for ever.
            gone: dict[str, Row] = {
                context: ("success", "planned")
                for context in (f"{self._context}/plan", f"{self._context}/spec")
                if context in before and context not in rows
            }
            for context, (state, text) in {**rows, **gone}.items():
                taken &= self._tell(repository, commit, context, (state, text), target, before)
        return taken

    def _rows(self, advance: AdvanceResult, run: Run) -> dict[str, Row]:
        """Context to state and sentence, of each pipeline and of the spec."""
        counted = {p.name: p.counts for p in run.pipelines}
        told = {p.name: p.detail for p in run.pipelines if p.state == "settled"}
        rows: dict[str, Row] = {}
        for progress in advance.pipelines.values():
            numbers = counted.get(progress.pipeline, progress.counts)
            detail = progress.detail or told.get(progress.pipeline, "")
            text = status_text.status(progress.state, numbers, detail)
            rows[f"{self._context}/{progress.pipeline}"] = (
                status_text.FORGE_STATES[progress.state],
                text,
            )
        if advance.problems:
            text = status_text.status("blocked", {}, advance.problems[0])
            rows[f"{self._context}/spec"] = ("error", text)
        return rows

    def obstacle(self, repository: str, commit: str, sentence: str) -> None:
        """Say beside a commit why its branch could not be planned."""
        text = status_text.status("blocked", {}, sentence)
        before = self._said(repository, commit) or {}
        context = f"{self._context}/plan"
        target = self._site.settings.web_url
        if context not in before:
            # Noted before it is said: whether the forge took it may never be known, and what is
            # not known of is not taken back.
            self._runs.note_status(repository, commit, context, "")
        self._tell(repository, commit, context, ("error", text), target, before)

    def _said(self, repository: str, commit: str) -> Mapping[str, str] | None:
        """Context to ``STATE SENTENCE`` of what the forge was told of a commit; None if it is silent.

        Only ``success`` where that is all that counts: who said it knew what had been done for it.
        """
        known = self._runs.statuses(repository, commit)
        if known:
            return known
        try:
            found = self._site.forge.statuses(repository, commit)
        except ForgeError as error:
            log.warning(
                "commit statuses were not read: %s",
                error.message,
                extra={"repository": repository, "commit": commit},
            )
            # Who is not allowed to look may still speak.
            return {} if 400 <= error.status < 500 else None
        return {
            context: state if state == "success" else f"{state} {text}"
            for context, (state, text) in found.items()
            if context.startswith(f"{self._context}/")
        }

    def _tell(
        self,
        repository: str,
        commit: str,
        context: str,
        row: Row,
        target: str,
        before: Mapping[str, str],
    ) -> bool:
        state, text = row
        text = self._site.redactor.redact_text(text)
        said = f"{state} {text}"
        if before.get(context) == said:
            return True
        try:
            if before.get(context) != state:
                self._site.forge.set_status(
                    repository, commit, state, description=text, context=context, target_url=target
                )
        except TeaError as error:
            log.warning(
                "commit status was not set: %s",
                error.message,
                extra={"repository": repository, "commit": commit},
            )
            return False
        self._runs.note_status(repository, commit, context, said)
        return True
