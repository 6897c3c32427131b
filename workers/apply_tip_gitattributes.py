"""Stores results by the rules of their branch's tip, where those of the job's commit do not serve.

A rule in ``.gitattributes`` is in no key: what was pushed after a job began is the cure of its results, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tea_runner.core.errors import OutputRefused, OutsideError, UserError
from tea_runner.core.planning.job import Job
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.save_outputs import OutputSaver
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.host.fault_point import step
from workers.datum_view_folders import output_directory
from workers.output_storage_check import storing_rules
from workers.run_datums import ComputedDatum

Derive = Callable[[Job], tuple[CommitReader, PipelineInputs]]
#: Writes a commit with results of a job into the mirror.
WriteResults = Callable[[Job, Sequence[Result]], str]


class ResultsAtTip:
    """Results of jobs of one repository, by the rules of the tips of their branches.

    :param open_at: opens another commit as that of a job.
    """

    def __init__(
        self,
        repository: GitDataset,
        open_at: Callable[[Job, str], CommitReader],
        derive: Derive,
        write: WriteResults,
    ) -> None:
        self._repository = repository
        self._open_at = open_at
        self._derive = derive
        self._write = write

    def save(
        self, job: Job, tip: CommitReader, saver: OutputSaver, computed: ComputedDatum
    ) -> tuple[ResultFile, ...]:
        """Save a datum's outputs; by the rules of the branch's tip where those of the job refuse.

        :param tip: the job's commit.
        :raises OutputRefused: when the rules of the tip refuse, too.
        :raises UserError: when they cannot be evaluated.
        """
        try:
            return saver.save(computed.files, tip.tree.root, computed.directory)
        except (OutputRefused, UserError):
            now = self._tip(job)
            if now is None:
                raise
            rules = (storing_rules(self._repository, at, computed.directory) for at in (tip, now))
            if len(set(rules)) == 1:
                raise
            return saver.save(computed.files, now.tree.root, computed.directory)

    def renew(
        self, job: Job, commit: str, results: Sequence[Result]
    ) -> tuple[str, Sequence[Result]]:
        """Commit and results as the rules of the branch's tip have them stored.

        :returns: the same ones where nothing changed, or what changed cannot be had without the command.
        """
        now = self._tip(job)
        if now is None:
            return commit, results
        labels = {key: label for label, key in job.datums}
        try:
            _, inputs = self._derive(job)
            renewed = []
            for result in results:
                pair = inputs.find(labels[result.key])
                place = output_directory(inputs.pipeline, pair[1]) if pair is not None else ""
                converted = self._repository.converted_result(result, now.tree.root, place)
                renewed.append(converted or result)
        except (OutsideError, UserError):
            return commit, results
        if renewed == list(results):
            return commit, results
        return self._write(job, renewed), renewed

    def _tip(self, job: Job) -> CommitReader | None:
        """The tip of the job's branch on the forge; None where it is not known now."""
        try:
            with step("fetch"):
                self._repository.refresh()
            commit = self._repository.tip(job.branch)
            return self._open_at(job, commit) if commit else None
        except OutsideError:
            return None
