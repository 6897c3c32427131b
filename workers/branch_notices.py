"""Tells people when a trusted branch fails first, and when it has recovered; nothing in between."""

from __future__ import annotations

import logging
from typing import Literal

from tea_runner.core.deliveries.registered_webhook import matches_repository
from tea_runner.core.planning.run import Run
from tea_runner.present import summary_line
from tea_runner.present.visible_text import visible
from tea_runner.wiring import Site
from workers.send_notice import Notice, notice_channels, send_to_all

log = logging.getLogger(__name__)

NoticeKind = Literal["failed", "recovered", ""]


class BranchNotices:
    """Sends them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def tell(self, run: Run, scope: str) -> None:
        """Tell of a run that has ended, if that is news.

        It is noted once a channel has taken it: a planner that dies between tells it twice.

        :param scope: of the branch; only trusted branches are told of.
        :raises QueueError: when Redis does not answer.
        """
        channels = notice_channels(self._site)
        patterns = self._site.settings.notify.repositories
        watched = any(matches_repository(each, run.repository) for each in patterns)
        if not channels or scope or not watched or not run.has_ended:
            return
        states = self._site.notice_states
        kind = notice_kind(states.get(run.repository, run.branch), run)
        if not kind:
            return
        problems = send_to_all(channels, self._notice(run, kind))
        for problem in problems:
            log.warning("a notice was not sent: %s", self._site.redactor.redact_text(problem))
        if len(problems) < len(channels):
            states.put(run.repository, run.branch, kind)

    def _notice(self, run: Run, kind: NoticeKind) -> Notice:
        url = f"{self._site.settings.web_url}/runs/{run.id}"
        word = "failed" if kind == "failed" else "has recovered"
        lines = [f"{run.commit[:12]} {run.title}", f"by {run.author}" if run.author else "", ""]
        lines += [f"- {problem}" for problem in run.problems[:10]]
        lines += [
            f"- {row.name}: {summary_line.description(row.state, row.counts, row.detail)}"
            for row in run.pipelines
            if kind == "recovered" or row.state in ("failed", "blocked")
        ][:40]
        text = "\n".join(visible(line) for line in [*lines, "", url])
        return Notice(
            subject=visible(f"[tea-runner] {run.repository} {run.branch} {word}"),
            text=self._site.redactor.redact_text(text) + "\n",
            facts={
                "event": kind,
                "repository": run.repository,
                "branch": run.branch,
                "commit": run.commit,
                "run": run.id,
                "url": url,
            },
        )


def notice_kind(before: str, run: Run) -> NoticeKind:
    """What is news of a run that has ended.

    :param before: what was told last of its branch.
    """
    if run.state in ("failed", "blocked"):
        return "" if before == "failed" else "failed"
    return "recovered" if run.state == "settled" and before == "failed" else ""
