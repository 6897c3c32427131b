"""Runs one job and publishes its results under a private ref on the forge, where they are safe."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tea_runner.core.errors import (
    NotOffered,
    OutputRefused,
    OutsideError,
    Refused,
    Superseded,
    UserError,
)
from tea_runner.core.git.branch_kinds import is_pull_request_branch
from tea_runner.core.git.configured_backend import annex_backend
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.tick_names import ticks_by_input
from tea_runner.core.planning.worker_requirement import need_of
from tea_runner.core.redact import Redactor
from tea_runner.core.results.result import Result
from tea_runner.core.results.run_conditions import TRUSTED, RunConditions, run_scope
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.save_outputs import OutputSaver
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.host.fault_point import reached, step
from tea_runner.host.openat import remove_tree
from tea_runner.host.resource_ledger import Reservation
from tea_runner.sandbox.execution_environment import Environment, Execution
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from workers.apply_tip_gitattributes import ResultsAtTip
from workers.job_details_recorder import MOST_PICTURE, DetailsRecorder
from workers.job_report import JobReport
from workers.leaked_secrets import leaks
from workers.output_storage_check import refused_by_storage, storing_rules
from workers.pipeline_at_commit import job_pipeline
from workers.replaced_image import previous_picture
from workers.run_datums import DatumRunner
from workers.unpushed_results import Again, UnpushedResults, give_up
from workers.worker_dependencies import WorkerDependencies

#: Pipelines at commits whose inputs stay in memory, for the other jobs of one push.
_CACHED_INPUTS = 8


class JobRunner:
    """Runs jobs of one repository, whose mirror and git processes stay open between them."""

    def __init__(self, repository: GitDataset, dependencies: WorkerDependencies) -> None:
        self.repository = repository
        self._dependencies = dependencies
        self._planner = IncrementalPlanner()
        #: Bytes that the running job has fetched, and how long that took.
        self._fetched, self._fetch_seconds = 0, 0.0
        self._reservation = Reservation()
        #: Results that could not be sent.
        self.unpublished = UnpushedResults(repository, dependencies.author)
        self._inputs: dict[tuple[object, ...], PipelineInputs] = {}
        self._attributes = Attributes(
            repository.repository, dependencies.scratch.path, repository.default_largefiles
        )

    def run(
        self,
        job: Job,
        write: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
        holds_claim: Callable[[], bool] = lambda: True,
        again: Again = give_up,
        reservation: Reservation | None = None,
    ) -> JobReport:
        """Compute the datums of a job and publish their results; a datum that fails stops no other.

        :param write: receives what the commands print.
        :param cancelled: whether the job is to stop; called several times a second.
        :param holds_claim: whether the claim is good still; called before results are published.
        :param again: decides on the next try at storing and publishing, after the commands.
        :param reservation: what the host has reserved for it; None for nothing.
        :raises OutsideError: when the forge, a storage or the machine failed: the job may be tried
            again.
        :raises Superseded: when its commit is no longer on the forge.
        :raises Cancelled: when it was stopped, or another worker has claimed it.
        """
        began = time.monotonic()
        self._reservation = reservation or Reservation()
        tip, inputs = self._derive(job)
        environment = self._environment(inputs)
        storing = (self.repository, self._attributes, tip, inputs, job.datums)
        refused, rules = refused_by_storage(*storing)
        if refused:
            # The dataset may describe its storages otherwise by now.
            self.repository.refresh()
            refused, rules = refused_by_storage(*storing)
        if refused:
            return JobReport(failures=refused, attributes=rules)
        annex = self.repository.prepared_annex()
        backend = annex_backend(tip.tree.blob_at(".gitattributes") or b"")
        saver = OutputSaver(
            annex,
            self._attributes,
            self.repository.repository,
            self.repository.writer(),
            backend,
            self._dependencies.limits.git_file_size,
        )
        former = previous_picture(self.repository, tip, MOST_PICTURE)
        report = JobReport(details=DetailsRecorder(inputs, former))
        self._fetched, self._fetch_seconds = 0, 0.0
        stream = self._dependencies.redactor.stream(write)
        with self._scratch_folder() as folder, contextlib.ExitStack() as stack:
            stack.callback(stream.flush)
            secrets = self._dependencies.secrets(job, inputs.pipeline, folder / "secrets")
            secret_finder = Redactor(secrets.values)
            for computed in self._datum_runner(job, tip, environment).run(
                tip,
                inputs,
                job.datums,
                folder,
                job_id=job.id,
                write_log=stream.write,
                cancelled=cancelled,
                secrets=secrets,
            ):
                key, command = computed.item.key, computed.command
                report.add_measures(computed)
                if computed.missing is not None:
                    report.missing[key] = str(computed.missing)
                    continue
                if computed.error is not None or command is None:
                    report.failures[key] = computed.error.reason if computed.error else ""
                    continue
                leaking = next((f.path for f in computed.files if leaks(secret_finder, f)), "")
                if leaking:
                    report.failures[key] = (
                        f"output {leaking} contains one of the pipeline's secrets; everybody who "
                        f"may read the repository can read its results"
                    )
                    continue
                saving = time.monotonic()
                report.details.add_outputs(computed)
                try:
                    with step("save"):
                        outputs = self._at_tip().save(job, tip, saver, computed)
                    report.store_seconds += time.monotonic() - saving
                except (OutputRefused, UserError) as error:
                    stream.write(f"tea-runner: {error}\n".encode("utf-8", "backslashreplace"))
                    report.failures[key] = str(error)
                    report.details.add_inputs(computed)
                    # The cure is a change of .gitattributes, which is not in the key.
                    report.attributes[key] = storing_rules(self.repository, tip, computed.directory)
                    continue
                result = Result(
                    key,
                    outputs,
                    command.code,
                    recovered=command.how == "recovered",
                    rule=saver.rule,
                    salt=job.salt,
                    ran=self._conditions(job, inputs.pipeline, secrets),
                    linked=saver.linked,
                )
                report.results.append(result)
        saved = time.monotonic()
        if report.results:
            commit = self.unpublished.write(job, saver.writer, report.results)
            self._publish(report, job, commit, report.results, holds_claim, again)
        report.seconds = time.monotonic() - began
        report.fetched, report.fetch_seconds = self._fetched, self._fetch_seconds
        report.store_seconds += time.monotonic() - saved
        return report

    def provision(self, job: Job, folder: Path) -> tuple[Environment, Execution, str]:
        """Make the room of a job's first datum and run nothing.

        :param folder: an empty folder.
        :returns: what would run and in what, and the pipeline's home.
        :raises OutsideError: as :meth:`run`.
        """
        tip, inputs = self._derive(job)
        environment = self._environment(inputs)
        secrets = self._dependencies.secrets(job, inputs.pipeline, folder / "secrets")
        runner = self._datum_runner(job, tip, environment)
        execution = runner.provision(
            tip, inputs, job.datums[0], folder, job_id=job.id, secrets=secrets
        )
        return environment, execution, inputs.pipeline.home

    def _publish(
        self,
        report: JobReport,
        job: Job,
        commit: str,
        results: Sequence[Result],
        holds_claim: Callable[[], bool],
        again: Again,
    ) -> None:
        """Publish results, and note them in the report as they were published."""

        def renew(commit: str, results: Sequence[Result]) -> tuple[str, Sequence[Result]]:
            return self._at_tip().renew(job, commit, results)

        report.commit, published = self.unpublished.publish(
            job, commit, results, holds_claim, again, renew
        )
        report.results = list(published)

    def _conditions(self, job: Job, pipeline: Pipeline, secrets: GivenSecrets) -> RunConditions:
        """What is stated of the datums of a job that is not for a trusted branch."""
        scope = run_scope(job.branch, job.scope)
        if scope == "trusted":
            return TRUSTED
        return RunConditions(
            scope=scope,
            network=self._has_network(job) and pipeline.transform.network,
            secrets=bool(secrets.values),
            memory=pipeline.limits.memory,
            timeout=pipeline.datum_timeout,
        )

    def _has_network(self, job: Job) -> bool:
        # A pull request may come from anybody, and its command reads the dataset.
        return self._dependencies.network and not is_pull_request_branch(job.branch)

    def _environment(self, inputs: PipelineInputs) -> Environment:
        """The environment of a pipeline's commands.

        :raises NotOffered: when this host has none, and another one may have it.
        :raises Refused: when this host has none, and there is no other one.
        """
        pipeline, offers = inputs.pipeline, self._dependencies.offers
        needs = need_of(image=pipeline.transform.image, file=inputs.image)
        if offers is not None and needs not in offers():
            raise NotOffered(f"this worker does not offer what the job needs: {needs}", needs)
        try:
            return self._dependencies.environment(pipeline)
        except Refused as error:
            if offers is None:
                raise
            raise NotOffered(error.problem, needs, hint=error.hint) from error

    def _datum_runner(self, job: Job, tip: CommitReader, environment: Environment) -> DatumRunner:
        def get_content(path: str, keys: Iterable[str]) -> dict[str, Path]:
            repository = self._dataset(tip, path)
            try:
                return self._get(repository, keys)
            finally:
                # A superdataset can have thousands of subdatasets, each with a git-annex of its own.
                if repository is not self.repository:
                    repository.annex.close()

        def write_blob(path: str, oid: str, target: Path) -> None:
            most = self._dependencies.limits.git_file_size
            self._dataset(tip, path).repository.write_blob(oid, target, most)

        return DatumRunner(
            environment=environment,
            limits=self._dependencies.limits,
            output_limits=self._dependencies.output_limits,
            network=self._has_network(job),
            get_content=get_content,
            write_blob=write_blob,
            redactor=self._dependencies.redactor,
            reservation=self._reservation,
        )

    def _get(self, repository: GitDataset, keys: Iterable[str]) -> dict[str, Path]:
        """Content of these annex keys; after one fetch when some is missing."""
        wanted = list(keys)
        with step("get"):
            try:
                return self._get_from(repository.prepared_annex(), wanted)
            except OutsideError:
                # Content may have come, or the dataset describes the storage otherwise by now.
                repository.refresh()
            return self._get_from(repository.prepared_annex(), wanted)

    def _get_from(self, annex: Annex, keys: list[str]) -> dict[str, Path]:
        before, began = annex.fetched_bytes, time.monotonic()
        try:
            return annex.get(keys)
        finally:
            self._fetched += annex.fetched_bytes - before
            self._fetch_seconds += time.monotonic() - began

    @property
    def annex_tip(self) -> str:
        """Tip of the ``git-annex`` branch in the mirror; empty when there is none."""
        return self.repository.annex_tip() or ""

    def is_done(self, job: Job) -> bool:
        """Whether the forge has results of all datums of the job."""
        self.repository.refresh()
        keys = [key for _, key in job.datums]
        unsettled = self.repository.unsettled_results(job.scope)
        if job.salt:
            return all(key in unsettled and unsettled[key][1].salt == job.salt for key in keys)
        rest = [key for key in keys if key not in unsettled]
        signed = self.repository.signed_results(rest, job.scope) if rest else {}
        return all(any(each.own for each in signed.get(key, ())) for key in rest)

    def _dataset(self, tip: CommitReader, path: str) -> GitDataset:
        """The subdataset at a path; the dataset itself for the empty path."""
        linked = tip.tree.resolve(path)[0].repository if path else None
        return linked if isinstance(linked, GitDataset) else self.repository

    def _derive(self, job: Job) -> tuple[CommitReader, PipelineInputs]:
        tip = self._tip(job)
        reached("derive")
        ticks = ticks_by_input(label for label, _ in job.datums)
        of_plan = (job.image, job.software, job.variables, repr(ticks))
        at = (job.commit, job.pipeline, job.pins, *of_plan)
        inputs = self._inputs.get(at)
        if inputs is None:
            pipeline = job_pipeline(tip, job, self._dependencies.software())
            inputs = self._planner.derive_inputs(tip, pipeline)
            if len(self._inputs) >= _CACHED_INPUTS:
                self._inputs.clear()
            self._inputs[at] = inputs
        return tip, inputs

    def _tip(self, job: Job) -> CommitReader:
        try:
            return self._at(job)
        except OutsideError:
            with step("fetch"):
                self.repository.refresh()
        try:
            return self._at(job)
        except OutsideError as error:
            raise Superseded(
                f"commit {job.commit[:12]} was pushed away before this job began"
            ) from error

    def _at(self, job: Job) -> CommitReader:
        return open_commit(
            self.repository.objects,
            job.commit,
            self._planner.cache,
            subdatasets=self.repository.subdatasets_of(job.scope),
            pins=dict(job.pins),
        )

    def send_kept(
        self, job: Job, holds_claim: Callable[[], bool], again: Again
    ) -> JobReport | None:
        """Publish the results of an earlier attempt on this host; None when nothing is kept.

        :raises OutsideError: when storage or forge fail, and *again* gives up.
        """
        commit, results = self.unpublished.kept(job)
        wanted = {key for _, key in job.datums}
        if {result.key for result in results} != wanted:
            return None
        report = JobReport(done_before=True)
        commit, results = self._at_tip().renew(job, commit, results)
        self._publish(report, job, commit, results, holds_claim, again)
        self.unpublished.forget(job)
        return report

    @contextlib.contextmanager
    def _scratch_folder(self) -> Iterator[Path]:
        prefix, parent = f"job-{os.getpid()}-", self._dependencies.scratch.path
        base = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            yield base
        finally:
            with step("clean"):
                remove_tree(base)

    def evict_unused(self) -> None:
        """Free what the last job did not use."""
        self.repository.objects.evict()
        self._planner.evict_unused()

    def _at_tip(self) -> ResultsAtTip:
        # Made anew for each use: kept, it would hold this object in a cycle.
        return ResultsAtTip(
            self.repository,
            lambda job, commit: self._at(replace(job, commit=commit)),
            self._derive,
            lambda job, results: self.unpublished.write(job, self.repository.writer(), results),
        )

    def close(self) -> None:
        """End the processes of the repository."""
        self._attributes.close()
        self.repository.close()
        self._planner.clear()
        self._inputs.clear()
