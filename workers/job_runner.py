"""One job in, its results under a private ref of the forge out: from then on they cannot be lost."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import Cancelled, ContentMissing, OutsideError, Superseded
from tea_runner.core.git.annex_backend import annex_backend
from tea_runner.core.git.branch import is_pull_request_branch
from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.job import Job
from tea_runner.core.redact import Redactor
from tea_runner.core.results.result import Result, format_results
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.forge_dataset import RESULTS, ForgeDataset
from tea_runner.dataset.save_outputs import FileToSave, OutputSaver
from tea_runner.flow.commit_view import CommitView, open_commit
from tea_runner.flow.pipeline_inputs import PipelineInputs, derive_inputs
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.host.openat import remove_tree
from tea_runner.host.step_hook import reached, step
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.protocol import Environment, Limits
from tea_runner.sandbox.scan_outputs import OutputLimits
from tea_runner.sandbox.scratch_folder import ScratchFolder
from workers.run_datums import DatumRunner

#: Commits whose datums are remembered: jobs of one push need not derive them again.
_REMEMBERED = 8


@dataclass(frozen=True, kw_only=True)
class WorkerDependencies:
    """What a worker works with."""

    scratch: ScratchFolder
    environment: Callable[[Pipeline], Environment]
    limits: Limits
    bounds: OutputLimits
    network: bool
    who: str
    #: What a pipeline's command gets of the operator's secrets: the job, the pipeline, a folder.
    secrets: Callable[[Job, Pipeline, Path], GivenSecrets] = lambda *_: GivenSecrets()
    redactor: Redactor = field(default_factory=Redactor)


@dataclass
class JobReport:
    """How a job ended, datum by datum."""

    results: list[Result] = field(default_factory=list)
    #: Key to the sentence that says how it failed.
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    #: The commit that holds the results.
    commit: str = ""
    #: Whether an earlier attempt had published the results, so that nothing was computed.
    done_before: bool = False


class JobRunner:
    """Does jobs of one repository, with warm mirrors and pipes."""

    def __init__(self, repository: ForgeDataset, means: WorkerDependencies) -> None:
        self.repository = repository
        self.means = means
        self._memory = PlanningCache()
        self._works: dict[tuple[str, str, object], PipelineInputs] = {}
        self._attributes = Attributes(repository.mirror, means.scratch.path)

    def run(
        self,
        job: Job,
        write: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
        holds_claim: Callable[[], bool] = lambda: True,
    ) -> JobReport:
        """Compute what the job asks for and publish it; datums that fail do not harm the others.

        :raises OutsideError: when the forge, a storage or the machine failed: the job may be tried
            again.
        :raises Superseded: when its commit is not on the forge any more.
        :raises Cancelled: when it was stopped, or another worker has it by now.
        """
        began = time.monotonic()
        tip, work = self._work(job)
        annex = self.repository.prepared_annex()
        backend = annex_backend(tip.tree.blob_at(".gitattributes") or b"")
        saver = OutputSaver(annex, self._attributes, self.repository.writer(), backend)
        bench = DatumRunner(
            environment=self.means.environment(work.pipeline),
            limits=self.means.limits,
            bounds=self.means.bounds,
            # What came from anybody may read the dataset, so it may not speak to anybody.
            network=self.means.network and not is_pull_request_branch(job.branch),
            get=lambda dataset, keys: self._get(self._dataset(tip, dataset), keys),
            write_blob=lambda dataset, oid, path: self._dataset(tip, dataset).mirror.write_blob(
                oid, path
            ),
        )
        report = JobReport()
        stream = self.means.redactor.stream(write)
        with self._room() as base, contextlib.ExitStack() as stack:
            stack.callback(stream.flush)
            given = self.means.secrets(job, work.pipeline, base / "secrets")
            leak = Redactor(given.values)
            for computed in bench.run(
                tip,
                work,
                job.datums,
                base,
                job=job.id,
                write=stream.write,
                cancelled=cancelled,
                given=given,
            ):
                key = computed.item.key
                if computed.error is not None or computed.ran is None:
                    report.failures[key] = str(computed.error)
                    continue
                told = next((f.path for f in computed.found if _tells(leak, f)), "")
                if told:
                    report.failures[key] = (
                        f"output {told} holds one of the pipeline's secrets; results are for "
                        f"everybody who may read the repository"
                    )
                    continue
                with step("save"):
                    outputs = saver.save(computed.found, tip.tree.root, computed.directory)
                recovered = computed.ran.how == "recovered"
                result = Result(key, outputs, computed.ran.code, recovered, saver.rule, job.salt)
                report.results.append(result)
        if report.results:
            with step("store"):
                saver.finish()
            if not holds_claim():
                raise Cancelled("another worker has the job by now")
            report.commit = self._publish(job, saver, report.results)
        report.seconds = time.monotonic() - began
        return report

    def _get(self, repository: ForgeDataset, keys: Iterable[str]) -> dict[str, Path]:
        """Content of these keys; where some is missing, the forge is asked for news once."""
        wanted = list(keys)
        with step("get"):
            try:
                return repository.prepared_annex().get(wanted)
            except ContentMissing:
                repository.refresh()
            return repository.prepared_annex().get(wanted)

    @property
    def annex_tip(self) -> str:
        """The tip of ``git-annex`` as last seen."""
        return self.repository.annex_tip() or ""

    def is_done(self, job: Job) -> bool:
        """Whether the results of all of its datums are known on the forge by now."""
        self.repository.refresh()
        keys = [key for _, key in job.datums]
        unsettled = self.repository.unsettled_results(job.scope)
        if job.salt:
            return all(key in unsettled and unsettled[key][1].salt == job.salt for key in keys)
        rest = [key for key in keys if key not in unsettled]
        return not rest or len(self.repository.known_commits(rest, job.scope)) == len(set(rest))

    def _dataset(self, tip: CommitView, path: str) -> ForgeDataset:
        """The dataset itself, or a subdataset of it."""
        linked = tip.tree.resolve(path)[0].repository if path else None
        return linked if isinstance(linked, ForgeDataset) else self.repository

    def _work(self, job: Job) -> tuple[CommitView, PipelineInputs]:
        tip = self._tip(job)
        reached("derive")
        known = self._works.get((job.commit, job.pipeline, job.pins))
        if known is None:
            pipeline = tip.pipelines.find(job.pipeline)
            if pipeline is None:
                raise OutsideError(f"commit {job.commit[:12]} has no pipeline {job.pipeline}")
            known = derive_inputs(tip, pipeline)
            if len(self._works) >= _REMEMBERED:
                self._works.clear()
            self._works[job.commit, job.pipeline, job.pins] = known
        return tip, known

    def _tip(self, job: Job) -> CommitView:
        self.repository.mirror.ensure()
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

    def _at(self, job: Job) -> CommitView:
        return open_commit(
            self.repository.objects,
            job.commit,
            self._memory,
            subdatasets=self.repository.subdatasets,
            pins=dict(job.pins),
        )

    def _publish(self, job: Job, saver: OutputSaver, results: Sequence[Result]) -> str:
        """Push the results under the job's ref; whoever was there first has the same results."""
        writer = saver.writer
        data = format_results(results)
        entries = {RESULTS: TreeEntry(PLAIN, writer.add("blob", data))}
        if saver.blobs:
            blobs = {oid: TreeEntry(PLAIN, oid) for oid in saver.blobs}
            entries["blobs"] = TreeEntry(TREE, writer.tree(blobs))
        title = f"tea-runner: results of job {job.id}"
        message = self.repository.results_message(job.ref, title, data)
        commit = writer.commit(writer.tree(entries), [], message, who=self.means.who, seconds=0)
        writer.flush()
        with step("publish"):
            self.repository.put_results(job.ref, commit)
        return commit

    @contextlib.contextmanager
    def _room(self) -> Iterator[Path]:
        base = Path(tempfile.mkdtemp(prefix=f"job-{os.getpid()}-", dir=self.means.scratch.path))
        try:
            yield base
        finally:
            with step("clean"):
                remove_tree(base)

    def evict_unused(self) -> None:
        """Free what the last job did not use."""
        self.repository.objects.evict()
        self._memory.evict_unused()

    def close(self) -> None:
        """End the processes behind it."""
        self._attributes.close()
        self.repository.close()
        self._memory.forget()
        self._works.clear()


def _tells(leak: Redactor, found: FileToSave) -> bool:
    """Whether a file that a command left holds a secret, in its name or in its content."""
    if leak.contains_secret(f"{found.path}\0{found.link}".encode("utf-8", "surrogateescape")):
        return True
    if found.link or not leak.has_secrets:
        return False
    with found.file.open("rb") as file:
        before = b""
        while chunk := file.read(1 << 20):
            if leak.contains_secret(before + chunk):
                return True
            before = (before + chunk)[-leak.longest_secret :]
    return False
