"""A dataset with a person who pushes, a planner and workers, all in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tea_runner.core.git.tree import TREE, TreeEntry, edit_tree, lookup, walk_tree
from tea_runner.core.planning.job import Job, Throughput
from tea_runner.core.planning.paused_or_unapproved_work import BranchOrders
from tea_runner.core.results.result import Result, format_results
from tea_runner.core.results.run_conditions import RunConditions, run_scope
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.core.spec.schedule import ScheduleClock
from tea_runner.flow.advance_outcome import BranchProgress
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.flow.plan_and_publish import BranchAdvancer
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.publication_loop_limit import LocalPublicationCounts, PublicationLimit
from tests.twins.dataset import RESULTS, MemoryDataset, result_file
from tests.twins.files import Annexed, Content, mode_and_data
from tests.twins.queue import MemoryBroker, MemoryJobQueue, MemoryRecomputeRequests
from tests.twins.tick_books import MemoryAskedTicks

WHO = "Planner <planner@example.org>"
PERSON = "Ada <ada@example.org>"

#: A datum's label and key to the files that its command writes.
Command = Callable[[str, str], Mapping[str, Content]]


class DatumFailed(Exception):
    """The command of a datum failed for good, with this sentence."""


class InputMissing(Exception):
    """The content of an input is in no storage, with this sentence."""


def output_of(label: str) -> str:
    """The file that commands here write for a datum: ``in-a.txt`` for ``in:a``."""
    return label.replace("/", "_").replace(":", "-").replace(" ", "+") + ".txt"


def write_key(label: str, key: str) -> dict[str, Content]:
    """One file that holds the key: other inputs give other bytes."""
    return {output_of(label): f"made with {key}\n"}


def write_same(label: str, _: str) -> dict[str, Content]:
    """One file with the same bytes whatever the inputs."""
    return {output_of(label): "the same\n"}


def failing(*labels: str, sentence: str = "the command ended with code 1") -> Command:
    """As :func:`write_key`, but these datums fail for good."""

    def command(label: str, key: str) -> dict[str, Content]:
        if label in labels:
            raise DatumFailed(sentence)
        return write_key(label, key)

    return command


def store_tree(
    dataset: MemoryDataset, root: str | None, files: Mapping[str, Content | None]
) -> str:
    """The tree *root* with these files; annexed content goes to the storage."""
    store = dataset.writer()
    changes: dict[str, TreeEntry | None] = {}
    for path, content in files.items():
        if content is None:
            changes[path] = None
            continue
        mode, data = mode_and_data(path, content)
        oid = data if isinstance(data, str) else store.add("blob", data)
        changes[path] = TreeEntry(mode, oid)
        if isinstance(content, Annexed) and content.stored:
            dataset.content[content.key] = dataset.storage

    def read(oid: str) -> Mapping[str, TreeEntry]:
        return store.trees.get(oid) or dataset.objects.tree(oid)

    tree = edit_tree(read, store.tree, root, changes) or store.tree({})
    store.flush()
    return tree


class MemoryLab:
    """A dataset, its queue, and what a person, the planner and workers do with them."""

    def __init__(
        self, dataset: MemoryDataset | None = None, *, reuse_branches: bool = True
    ) -> None:
        self.dataset = dataset or MemoryDataset()
        self.reuse_branches = reuse_branches
        self.broker = MemoryBroker()
        self.queue = MemoryJobQueue(self.broker)
        self.recompute = MemoryRecomputeRequests(self.queue, self.dataset.name)
        #: Kept between calls, as a planner does; tests compare with an empty one.
        self.planner = IncrementalPlanner()
        self.publications = LocalPublicationCounts()
        self.seconds = 1_700_000_000
        #: Where schedules tick; None where no clock runs.
        self.now: datetime | None = None
        #: Ticks that a person asks for: pipelines and times.
        self.asked = MemoryAskedTicks()

    # -- the person --------------------------------------------------------------------------

    def push(
        self,
        files: Mapping[str, Content | None],
        *,
        branch: str = "main",
        message: str = "change\n",
        parent: str | None = None,
    ) -> str:
        """Commit files upon a branch, or upon *parent*, and push it; returns the commit."""
        ref = f"refs/heads/{branch}"
        before = parent or self.dataset.forge.get(ref)
        root = self.dataset.objects.commit(before).tree if before else None
        tree = store_tree(self.dataset, root, files)
        self.seconds += 100
        store = self.dataset.writer()
        parents = [before] if before else []
        oid = store.commit(tree, parents, message, who=PERSON, seconds=self.seconds)
        store.flush()
        self.dataset.forge[ref] = oid
        return oid

    # -- the planner -------------------------------------------------------------------------

    def advancer(
        self,
        *,
        recompute: bool = False,
        only: Sequence[str] = (),
        pace: Throughput | None = None,
        orders: BranchOrders | None = None,
    ) -> BranchAdvancer:
        """What advances a branch."""
        return BranchAdvancer(
            dataset=self.dataset,
            queue=self.queue,
            who=WHO,
            planner=self.planner,
            only=only,
            throughput=lambda _: pace,
            orders=orders,
            recompute_requests=self.recompute if recompute else None,
            publication_limit=PublicationLimit(counts=self.publications, most=5),
            reuse_branches=self.reuse_branches,
            clock=self._clock(),
            asked_ticks=self.asked,
        )

    def _clock(self) -> ScheduleClock | None:
        now = self.now
        return ScheduleClock(now=lambda: now, present=lambda: now) if now is not None else None

    def advance(
        self,
        branch: str = "main",
        *,
        recompute: bool = False,
        only: Sequence[str] = (),
        pace: Throughput | None = None,
        orders: BranchOrders | None = None,
    ) -> BranchProgress:
        """Fetch and advance a branch that exists."""
        self.dataset.refresh()
        advancer = self.advancer(recompute=recompute, only=only, pace=pace, orders=orders)
        done = advancer.advance(branch)
        assert done is not None
        return done

    def plan(self, branch: str = "main", **options: bool) -> PlannedCommit:
        """Plan a branch without acting."""
        self.dataset.refresh()
        tip = self.dataset.tip(branch)
        assert tip is not None
        return self.advancer(**options).plan(tip, branch=branch)

    def view(self, commit: str = "", *, strict_hashes: bool = False) -> CommitReader:
        """A commit, or the tip of ``main``, read without a cache."""
        oid = commit or self.dataset.forge["refs/heads/main"]
        cache = PlanningCache(strict_hashes=strict_hashes)
        return open_commit(self.dataset.objects, oid, cache, subdatasets=self.dataset.subdatasets)

    # -- workers -----------------------------------------------------------------------------

    def work(self, command: Command = write_key) -> list[str]:
        """Do all waiting jobs; returns the labels of the datums that were computed, sorted."""
        computed: list[str] = []
        for job in self.queue.jobs():
            self.do(job, command)
            computed += (label for label, _ in job.datums)
        return sorted(computed)

    def do(self, job: Job, command: Command = write_key) -> None:
        """Do a job: its results go to its ref, its failures to the queue."""
        assert self.queue.claim(job.id) is not None
        results, failed, files = [], {}, dict[str, Content]()
        for label, key in job.datums:
            try:
                outputs = command(label, key)
            except DatumFailed as error:
                failed[key] = str(error)
                continue
            except InputMissing as error:
                self.queue.record_missing(job, self.dataset.annex_tip() or "", str(error), [key])
                continue
            ran = RunConditions(scope=run_scope(job.branch, job.scope))
            results.append(replace(self.result(key, outputs, salt=job.salt), ran=ran))
            files.update(outputs)
        if results:
            assert self.put_results(job.ref, results)
        self.queue.fail(job, failed)
        self.queue.finish(job.id, "failed" if failed else "done")

    def result(self, key: str, outputs: Mapping[str, Content], *, salt: str = "") -> Result:
        """The result of a datum, with its files stored."""
        read, root = self.dataset.objects.tree, store_tree(self.dataset, None, outputs)
        files = [result_file(self.dataset.objects, *each) for each in walk_tree(read, root)]
        return Result(key, tuple(files), salt=salt)

    def put_results(self, ref: str, results: Sequence[Result]) -> bool:
        """Push a commit that holds results to a job's ref."""
        tree = store_tree(self.dataset, None, {RESULTS: format_results(results)})
        store = self.dataset.writer()
        commit = store.commit(tree, [], "results\n", who=WHO, seconds=self.seconds)
        store.flush()
        return self.dataset.publish([(ref, commit, None)])

    def settle(
        self, branch: str = "main", command: Command = write_key, *, recompute: bool = False
    ) -> tuple[BranchProgress, list[str]]:
        """Advance and work until no job waits; the last result, and all datums computed."""
        computed: list[str] = []
        for _ in range(50):
            done = self.advance(branch, recompute=recompute)
            labels = self.work(command)
            if not labels:
                return done, sorted(computed)
            computed += labels
        raise AssertionError("it does not end")

    # -- what came of it ---------------------------------------------------------------------

    def tip(self, branch: str = "main") -> str:
        """The forge's commit of a branch."""
        return self.dataset.forge[f"refs/heads/{branch}"]

    def entries(self, home: str = "", *, commit: str = "") -> dict[str, TreeEntry]:
        """Path below *home* to its entry, of all files of a commit or of the tip of ``main``."""
        read = self.dataset.objects.tree
        entry = lookup(read, self.dataset.objects.commit(commit or self.tip()).tree, home)
        found = entry is not None and entry.mode == TREE
        return dict(walk_tree(read, entry.oid)) if entry is not None and found else {}

    def text(self, path: str, *, commit: str = "") -> str:
        """The content of a file, or the target of a link."""
        oid = self.entries(commit=commit)[path].oid
        return (self.dataset.objects.raw(oid, "blob") or b"").decode()

    def files(self, home: str = "", *, commit: str = "", branch: str = "main") -> dict[str, str]:
        """Path below *home* to content or link target, manifests and pipeline files left out."""
        return {
            path: (self.dataset.objects.raw(entry.oid, "blob") or b"").decode()
            for path, entry in self.entries(home, commit=commit or self.tip(branch)).items()
            if path.rpartition("/")[2] not in ("manifest.tsv", "spec.yml")
            and not path.endswith(".sig")
        }

    def log(self, branch: str = "main") -> list[str]:
        """Subjects of the branch's first parents, the newest first."""
        subjects, oid = [], self.tip(branch)
        while oid:
            facts = self.dataset.objects.commit(oid)
            subjects.append(facts.message.split("\n", 1)[0])
            oid = facts.parents[0] if facts.parents else ""
        return subjects

    def trailers(self, commit: str = "") -> dict[str, str]:
        """Our trailers of a commit."""
        return parse_trailers(self.dataset.objects.commit(commit or self.tip()).message)

    def job_refs(self) -> list[str]:
        """Refs of jobs on the forge."""
        private = (ref for ref in self.dataset.forge if ref.startswith("refs/tea/"))
        return sorted(ref for ref in private if not ref.startswith("refs/tea/ticks/"))
