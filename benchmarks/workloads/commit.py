"""A results commit of 100,000 outputs, and one that adds a single new one to them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.datasets import PLAIN_ENV, annexed_tree, file_path, link
from benchmarks.figure import Book, Plan
from benchmarks.stand import Stand
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.write_results_commit import finish, settle
from tea_runner.host import process

ALL = "results commit with {n:,} outputs"
ONE = "1 new output among {n:,}"

SPEC = """\
pipeline: {name: sizes}
input: {pfs: {repo: data, glob: "/(*)/(*)"}}
transform: {cmd: [sh, -c, "true"]}
output: {path: "$1"}
"""
_UUID = "00000000-0000-0000-0000-000000000001"


class Commits:
    """A dataset whose results are all known to the one who settles."""

    def __init__(self, root: Path, count: int) -> None:
        self.count = count
        self.stand = Stand(root)
        self._fresh = 0

    def round(self, book: Book) -> None:
        """All, then one more."""
        n = self.count
        floor = self._floor(book)
        annexed_tree(self.stand.bare, n, extra={"sizes/spec.yml": SPEC})
        repository = self.stand.site().repository(self.stand.name)
        repository.refresh()
        planner = IncrementalPlanner()
        self._ours(book, ALL.format(n=n), repository, planner, goal=2 * floor)
        for _ in range(3):
            self._add(self.stand.bare, self._next())
            repository.refresh()
            self._ours(book, ONE.format(n=n), repository, planner, goal=0.03)
        repository.close()

    def _next(self) -> int:
        self._fresh += 1
        return self.count + self._fresh

    @staticmethod
    def _add(bare: Path, number: int) -> None:
        head = b"commit refs/heads/main\ncommitter a <a@b> 1700000001 +0000\ndata 1\nx\n"
        process.run(
            ["git", f"--git-dir={bare}", "fast-import", "--quiet"],
            env=PLAIN_ENV,
            stdin=head + b"from refs/heads/main^0\n" + link(file_path(number), number),
        )

    def _ours(
        self,
        book: Book,
        work: str,
        repository: ForgeDataset,
        planner: IncrementalPlanner,
        *,
        goal: float,
    ) -> None:
        written, pushed = self._settle(repository, planner)
        book.add(
            work, "tea-runner", written, goal=goal, note="compose, write, with git-annex branch"
        )
        book.add(
            work,
            "tea-runner and git push",
            pushed,
            note="both branches, checked by the forge's git",
        )

    def _settle(self, repository: ForgeDataset, planner: IncrementalPlanner) -> tuple[float, float]:
        """Seconds from a plan in which all is known to the commit, and until it is pushed."""
        planned = self._plan(repository, planner)
        tip, plan = planned.tip, planned.plan.pipelines[0]
        work = planned.works[plan.pipeline.name]
        results = {
            decision.key: Result(
                decision.key,
                (
                    ResultFile(
                        f"{decision.key[:12]}.size",
                        "annex",
                        f"SHA256E-s{len(decision.key)}--{decision.key}",
                        64,
                    ),
                ),
            )
            for decision in plan.moving
        }
        written = 0.0
        publish = repository.publish

        def timed(updates: Sequence[tuple[str, str, str | None]]) -> bool:
            nonlocal written
            written = time.perf_counter() - began
            return publish(updates)

        repository.publish = timed  # type: ignore[method-assign]
        began = time.perf_counter()
        finished = finish(work, ((each, results[each.key]) for each in plan.moving))
        assert isinstance(finished, list)
        stored = {output.name for item in finished for output in item.result.outputs}
        done = settle(
            repository,
            "main",
            tip,
            work,
            finished,
            plan.gone(read_manifest(tip.tree, plan.pipeline.home)),
            who="a <a@b>",
            storage_uuid=lambda: _UUID,
            stored=stored,
        )
        seconds = time.perf_counter() - began
        assert done is not None
        repository.publish = publish  # type: ignore[method-assign]
        # As a planner does: what it has published is what it begins with the next time.
        repository.refresh()
        assert self._plan(repository, planner).plan.pipelines[0].state == "settled"
        return written, seconds

    @staticmethod
    def _plan(repository: ForgeDataset, planner: IncrementalPlanner) -> PlannedCommit:
        commit = repository.tip("main")
        assert commit is not None
        return make_plan(
            repository,
            open_commit(repository.objects, commit, planner.cache),
            failures=lambda _: {},
            planner=planner,
        )

    def _floor(self, book: Book) -> float:
        """All and one more: by fast-import, and as a working tree with ``git add`` and ``commit``.

        :returns: seconds that fast-import takes for all.
        """
        n = self.count
        bare = self.stand.root / "floor.git"
        shutil.rmtree(bare, ignore_errors=True)
        process.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], env=PLAIN_ENV)
        began = time.perf_counter()
        annexed_tree(bare, n, extra={})
        floor = time.perf_counter() - began
        book.add(ALL.format(n=n), "floor: fast-import", floor, note="links only, nothing pushed")
        began = time.perf_counter()
        self._add(bare, n)
        book.add(
            ONE.format(n=n),
            "floor: fast-import",
            time.perf_counter() - began,
            note="links only, nothing pushed",
        )
        tree = self.stand.root / "floor"
        shutil.rmtree(tree, ignore_errors=True)
        process.run(["git", "init", "-q", str(tree)], env=PLAIN_ENV)
        target = "../" * 3 + ".git/annex/objects/aa/bb/" + "SHA256E-s64--%064d/SHA256E-s64--%064d"
        began = time.perf_counter()
        for index in range(n):
            path = tree / file_path(index)
            if index < 1000:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target % (index, index))
        self._save(tree)
        book.add(
            ALL.format(n=n),
            "git add + commit",
            time.perf_counter() - began,
            note="working tree of links, nothing pushed",
        )
        (tree / "data" / "new").symlink_to(target % (n, n))
        began = time.perf_counter()
        self._save(tree)
        book.add(
            ONE.format(n=n),
            "git add + commit",
            time.perf_counter() - began,
            note="working tree of links, nothing pushed",
        )
        return floor

    @staticmethod
    def _save(tree: Path) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0"]
        for verb in (["add", "-A"], ["commit", "-q", "-m", "x"]):
            process.run(["git", *who, *verb], env=PLAIN_ENV, cwd=tree)

    def close(self) -> None:
        """End it."""
        self.stand.close()


def measure(root: Path, book: Book, plan: Plan) -> None:
    """Each round in a folder of its own."""
    for number in range(min(plan.rounds, 2)):
        commits = Commits(root / f"commit-{number}", 100_000)
        try:
            commits.round(book)
        finally:
            commits.close()
            shutil.rmtree(root / f"commit-{number}", ignore_errors=True)
