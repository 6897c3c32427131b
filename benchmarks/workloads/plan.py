"""Planning many annexed files: from nothing with all results known, and after one change."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.datasets import PLAIN_ENV, annexed_tree, file_path, link
from benchmarks.figure import Book, Plan
from benchmarks.stand import Stand
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.manifest_text import edited_files
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.pipeline_datums import derive_inputs
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.sign_manifest import dataset_signer
from tea_runner.host import process
from tea_runner.host.gc_tuning import gc_paused

NOTHING = "plan from nothing, {n:,} annexed files, all known"
CHANGE = "plan after 1 change among {n:,} files"
MEMORY = "memory of that plan of {n:,} files, per file"

SPEC = """\
pipeline: {name: sizes}
input: {pfs: {repo: data, glob: "/*/*"}}
transform: {cmd: [sh, -c, "true"]}
"""


def make(repository: ForgeDataset, planner: IncrementalPlanner) -> PlannedCommit:
    """The plan of the main branch, made as the planner makes it."""
    commit = repository.tip("main")
    assert commit is not None
    tip = open_commit(repository.objects, commit, planner.cache)
    with gc_paused():
        return make_plan(repository, tip, failures=lambda _: {}, planner=planner)


class Plans:
    """One repository of many annexed files and a manifest that knows them all."""

    def __init__(self, root: Path, count: int) -> None:
        self.count = count
        self.stand = Stand(root)
        self.bare = self.stand.bare
        extra = {"sizes/spec.yml": SPEC}
        annexed_tree(self.bare, count, extra=extra)
        self.repository = self.stand.site().repository(self.stand.name)
        self.repository.refresh()
        commit = self.repository.tip("main")
        assert commit is not None
        tip = open_commit(self.repository.objects, commit, PlanningCache())
        work = derive_inputs(tip, tip.pipelines.ordered[0])
        rows = [
            Row(item.label, item.key, item.place, (), (), (), ran="trusted") for item in work.keyed
        ]
        manifest = Manifest.of(rows, parts=work.shared.parts)
        files = edited_files(Manifest(), manifest, lambda: ())
        self._write({f"sizes/{path}": text for path, text in files.items()})
        objects = self.repository.objects
        tree = objects.commit(self.repository.tip("main") or "").tree
        self._write(
            dataset_signer(self.repository).signature(
                objects.tree, tree, "sizes", inputs_at=commit, recomputed=()
            )
        )
        self.repository.close()
        self._changes = 0

    def _write(self, files: Mapping[str, bytes | None]) -> None:
        self._commit(
            b"".join(
                b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text)
                for path, text in files.items()
                if text is not None
            )
        )
        self.repository.refresh()

    def _commit(self, change: bytes) -> None:
        head = b"commit refs/heads/main\ncommitter a <a@b> 1700000001 +0000\ndata 1\nx\n"
        process.run(
            ["git", f"--git-dir={self.bare}", "fast-import", "--quiet"],
            env=PLAIN_ENV,
            stdin=head + b"from refs/heads/main^0\n" + change,
        )

    def round(self, book: Book) -> None:
        """From nothing, then after a change, then the floor of both."""
        n = self.count
        repository = self.stand.site().repository(self.stand.name)
        planner = IncrementalPlanner()
        began = time.perf_counter()
        planned = make(repository, planner)
        seconds = time.perf_counter() - began
        assert planned.plan.pipelines[0].state == "settled"
        goal = 1.6 * n / 100_000
        book.add(NOTHING.format(n=n), "tea-runner", seconds, goal=goal)
        if self._changes == 0:
            book.add(
                MEMORY.format(n=n),
                "tea-runner",
                self._growth() / n,
                unit="kB",
                goal=1.0,
                note="growth of the peak of a process that does nothing else",
            )
        for _ in range(3):
            self._changes += 1
            number = (self._changes * 7919) % n
            self._commit(link(file_path(number), number + self._changes * n))
            repository.refresh()
            began = time.perf_counter()
            planned = make(repository, planner)
            book.add(
                CHANGE.format(n=n),
                "tea-runner",
                time.perf_counter() - began,
                goal=0.1,
                note="without the fetch",
            )
            assert planned.plan.pipelines[0].counts["run"] == 1
            self._commit(link(file_path(number), number))
            repository.refresh()
            make(repository, planner)
        repository.close()
        self._floor(book)

    def _floor(self, book: Book) -> None:
        env = PLAIN_ENV
        git = ["git", f"--git-dir={self.bare}"]
        began = time.perf_counter()
        listing = process.run([*git, "ls-tree", "-r", "-z", "main"], env=env).stdout
        oids = [
            row.split(b"\t", 1)[0].rsplit(b" ", 1)[1]
            for row in listing.split(b"\0")
            if row.startswith(b"120000")
        ]
        process.run(
            [*git, "cat-file", "--batch", "--buffer"], env=env, stdin=b"\n".join(oids) + b"\n"
        )
        seconds = time.perf_counter() - began
        book.add(NOTHING.format(n=self.count), "floor: ls-tree, cat-file", seconds)
        began = time.perf_counter()
        process.run([*git, "diff-tree", "-r", "-z", "main~1", "main"], env=env)
        seconds = time.perf_counter() - began
        book.add(CHANGE.format(n=self.count), "floor: diff-tree", seconds)

    def _growth(self) -> int:
        """Kilobytes that a process takes for this plan."""
        settings = self.stand.site().settings.state / "tea-runner.toml"
        argv = [sys.executable, "-m", "benchmarks.workloads.peak", str(settings), self.stand.name]
        return int(process.run(argv, env=self.stand.env, cwd=Path.cwd()).stdout)

    def close(self) -> None:
        """End it."""
        self.stand.close()


def measure(root: Path, book: Book, plan: Plan) -> None:
    """100,000 files, and in the long run a million."""
    for count in (100_000, 1_000_000) if plan.long else (100_000,):
        plans = Plans(root / f"plan-{count}", count)
        try:
            for _ in range(plan.rounds if count == 100_000 else 1):
                plans.round(book)
        finally:
            plans.close()
