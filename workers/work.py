"""One job in, its results under a private ref of the forge out: from then on they cannot be lost."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.adapters.attributes import Attributes
from tea_runner.adapters.environments.protocol import Environment, Limits
from tea_runner.adapters.repository import RESULTS, Repository
from tea_runner.adapters.save import Saver
from tea_runner.core.attributes import annex_backend
from tea_runner.core.errors import Cancelled, JobError, OutsideError, TeaError
from tea_runner.core.jobs import Job
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results import Result, format_results
from tea_runner.core.tree import PLAIN, TREE, TreeEntry
from tea_runner.core.variables import variables
from tea_runner.core.view import View
from tea_runner.flow.planning import Identity
from tea_runner.flow.tip import Memory, Tip, Work
from workers.collect import collect
from workers.execute import run_datum
from workers.provision import Room, make_code, make_view, wanted_keys

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a worker works with."""

    scratch: Path
    environment: Callable[[Pipeline], Environment]
    identity: Identity
    limits: Limits
    network: bool
    who: str
    output_files: int
    output_bytes: int


@dataclass
class Report:
    """How a job ended, datum by datum."""

    results: list[Result] = field(default_factory=list)
    #: Key to the sentence that says how it failed.
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    fetched: int = 0
    commit: str = ""


#: Works of commits that were derived lately: a job of the same commit need not do it again.
_Works = dict[tuple[str, str, str], Work]


class Workshop:
    """Does jobs of one repository, with warm mirrors and pipes."""

    def __init__(self, repository: Repository, means: Means, memory: Memory | None = None) -> None:
        self.repository = repository
        self.means = means
        self._memory = memory or Memory()
        self._works: _Works = {}
        self._attributes = Attributes(repository.mirror, _made(means.scratch))

    def do(
        self, job: Job, write: Callable[[bytes], None], cancelled: Callable[[], bool]
    ) -> Report:
        """Compute what the job asks for and publish it; datums that fail do not harm the others.

        :raises OutsideError: when the forge, a storage or the machine failed: the job may be tried
            again.
        :raises Cancelled: when it was stopped.
        """
        began = time.monotonic()
        tip, work = self._work(job)
        report = Report()
        datums = [work.by_label[label] for label, _ in job.datums]
        keys = {item.label: item for item in work.keyed}
        for label, key in job.datums:
            if label not in keys or keys[label].key != key:
                raise OutsideError(f"datum {label} has another key here than the planner found")
        views = [work.view(datum) for datum in datums]
        annex = self.repository.prepared_annex()
        content = annex.get(wanted_keys(work, views, tip))
        report.fetched = sum(path.stat().st_size for path in content.values())
        saver = Saver(annex, self._attributes, self.repository.writer(), self._backend(tip))
        environment = self.means.environment(work.pipeline)
        with self._room() as base:
            code = base / "dataset"
            make_code(code, work, tip, content, self.repository.mirror.write_blob)
            for datum, view in zip(datums, views, strict=True):
                item = keys[datum.label]
                room = _fresh(base, code)
                make_view(room.view, work, view, content, self.repository.mirror.write_blob)
                places = environment.places(room.view, room.out, room.code)
                env = variables(
                    work.pipeline, datum, view, work.sources,
                    key=item.key, job=job.id, commit=job.commit,
                    pfs=places.pfs, dataset=places.dataset,
                )  # fmt: skip
                if len(datums) > 1:
                    write(f"tea-runner: datum {datum.label}\n".encode())
                try:
                    result = self._one(tip, work, room, view, env, item.key, item.place, saver,
                                       environment, write, cancelled)  # fmt: skip
                except Cancelled:
                    raise
                except JobError as error:
                    write(f"tea-runner: {error.message}\n".encode())
                    report.failures[item.key] = error.message
                else:
                    report.results.append(result)
        if report.results:
            saver.finish()
            report.commit = self._publish(job, saver, report.results)
        report.seconds = time.monotonic() - began
        return report

    def _one(
        self,
        tip: Tip,
        work: Work,
        room: Room,
        view: View,
        env: dict[str, str],
        key: str,
        place: str,
        saver: Saver,
        environment: Environment,
        write: Callable[[bytes], None],
        cancelled: Callable[[], bool],
    ) -> Result:
        means = self.means
        ran = run_datum(
            work.pipeline, room, environment, env,
            limits=means.limits, network=means.network, log=write, clear=_clear,
            cancelled=cancelled, deadline=work.pipeline.job_timeout,
        )  # fmt: skip
        if ran.how == "recovered":
            return Result(key=key, outputs=(), recovered=True)
        directory = "/".join(part for part in (work.pipeline.home, place) if part)
        found = collect(
            room.out, room.view, directory, files=means.output_files, size=means.output_bytes
        )
        return Result(key=key, outputs=saver.save(found, tip.root, directory), exit=ran.code)

    # -- what is derived from git ------------------------------------------------------------

    def _work(self, job: Job) -> tuple[Tip, Work]:
        with contextlib.suppress(OutsideError):
            self.repository.objects.commit(job.commit)
        tip = self._tip(job.commit)
        known = self._works.get((job.commit, job.pipeline, ""))
        if known is None:
            pipeline = next((p for p in tip.pipelines if p.name == job.pipeline), None)
            if pipeline is None:
                raise OutsideError(f"commit {job.commit[:12]} has no pipeline {job.pipeline}")
            known = tip.work(pipeline, self.means.identity(pipeline))
            if len(self._works) > 8:
                self._works.clear()
            self._works[job.commit, job.pipeline, ""] = known
        return tip, known

    def _tip(self, commit: str) -> Tip:
        try:
            return Tip(self.repository.objects, commit, self._memory)  # type: ignore[arg-type]
        except OutsideError:
            self.repository.refresh()
            return Tip(self.repository.objects, commit, self._memory)  # type: ignore[arg-type]

    @staticmethod
    def _backend(tip: Tip) -> str:
        return annex_backend(tip.blob_at(".gitattributes") or b"")

    # -- results -----------------------------------------------------------------------------

    def _publish(self, job: Job, saver: Saver, results: Sequence[Result]) -> str:
        """Push the results under the job's ref; whoever was there first has the same results."""
        writer = saver.writer
        entries = {RESULTS: TreeEntry(PLAIN, writer.add("blob", format_results(results)))}
        if saver.blobs:
            blobs = {oid: TreeEntry(PLAIN, oid) for oid in saver.blobs}
            entries["blobs"] = TreeEntry(TREE, writer.tree(blobs))
        message = f"tea-runner: results of job {job.id}\n"
        commit = writer.commit(writer.tree(entries), [], message, who=self.means.who, seconds=0)
        writer.flush()
        self.repository.publish([(job.ref, commit, None)])
        return commit

    # -- folders -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _room(self) -> Iterator[Path]:
        base = Path(tempfile.mkdtemp(prefix=f"job-{os.getpid()}-", dir=self.means.scratch))
        try:
            yield base
        finally:
            remove(base)

    def close(self) -> None:
        """End the processes behind it."""
        self._attributes.close()
        self.repository.close()


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _fresh(base: Path, code: Path) -> Room:
    room = Room(view=base / "pfs", out=base / "out", code=code)
    for path in (room.view, room.out):
        remove(path)
        path.mkdir(mode=0o755)
    room.out.chmod(0o777)
    return room


def _clear(room: Room) -> None:
    for child in room.out.iterdir():
        remove(child)


def remove(path: Path) -> None:
    """Delete a file or folder of ours, whatever a command left in it."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=True)


class Heartbeat:
    """Keeps a claim while a job is done, and knows when it is lost."""

    def __init__(self, extend: Callable[[], bool], every: float) -> None:
        self._extend = extend
        self._every = every
        self._stop = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                kept = self._extend()
            except Exception as error:
                # Redis may be away for a while; the claim is lost when it says so.
                log.warning("heartbeat: %s", error)
                continue
            if not kept:
                self.lost = True
                return

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()


def new_token() -> str:
    """A name for one claim."""
    return uuid.uuid4().hex


def explain(error: BaseException) -> str:
    """The sentence that people see for an error."""
    return error.message if isinstance(error, TeaError) else f"{type(error).__name__}: {error}"
