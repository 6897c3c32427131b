"""A worker gets 10 of 10,000 files: of a dataset it has seen, and of one that it has never seen."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from benchmarks.datasets import annexed_tree
from benchmarks.figure import Book, Plan
from benchmarks.peers.datalad_get import DataladGet
from benchmarks.stand import Stand
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from workers.stage_inputs import wanted_keys

SEEN = "10 of 10,000 files, dataset seen before"
UNSEEN = "10 of 10,000 files, dataset never seen"
MOVED = "bytes moved for it"

SPEC = """\
pipeline: {name: s%d}
input: {pfs: {repo: picked, glob: "/%d/*"}}
transform: {cmd: [sh, -c, "true"]}
"""
_GROUPS = 8


class Fetches:
    """A dataset of which only the picked files have content."""

    def __init__(self, root: Path) -> None:
        self.stand = stand = Stand(root)
        picked = {
            f"picked/{group}/{number}.dat": f"{group} {number}\n" * 100
            for group in range(_GROUPS)
            for number in range(10)
        }
        stand.create(files=picked)
        specs = {f"s{group}/spec.yml": SPEC % (group, group) for group in range(_GROUPS)}
        stand.write({**specs, ".gitattributes": "*.yml annex.largefiles=nothing\n"})
        stand.save("specs")
        stand.push()
        rest = 10_000 - len(picked) - 4 - _GROUPS
        annexed_tree(stand.bare, rest, extra={}, onto=True)
        stand.git("pull", "-q", "--ff-only", "origin", "main")
        self.group = 0

    def round(self, book: Book) -> None:
        """Never seen, then seen."""
        for host, work, goal in (("a", UNSEEN, 0.5), ("a", SEEN, 0.15)):
            state = self.stand.root / "hosts" / host
            if work == UNSEEN:
                shutil.rmtree(state / "mirrors", ignore_errors=True)
                repository = self.stand.site(host).repository(self.stand.name)
                planner = IncrementalPlanner()
            commit = self.stand.head()
            before = _size(state)
            began = time.perf_counter()
            repository.refresh()
            tip = open_commit(repository.objects, commit, planner.cache)
            pipeline = next(p for p in tip.pipelines if p.home == f"s{self.group}")
            found = planner.derive_inputs(tip, pipeline)
            views = [found.view(datum) for datum in found.datums]
            keys = wanted_keys(found, views, tip)[""]
            places = repository.prepared_annex().get(keys)
            book.add(work, "tea-runner", time.perf_counter() - began, goal=goal)
            assert len(places) == 10
            book.add(
                f"{MOVED}, {work.partition(', ')[2]}",
                "tea-runner",
                (_size(state) - before) / 1000,
                unit="kB",
            )
            self.group = (self.group + 1) % _GROUPS
        repository.close()

    def close(self) -> None:
        """End it."""
        self.stand.close()


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def measure(root: Path, book: Book, plan: Plan) -> None:
    """Ours, and ``datalad clone`` with ``datalad get``."""
    fetches = Fetches(root / "fetch")
    peer = DataladGet(root / "datalad-get", fetches.stand.dataset)
    try:
        for number in range(plan.rounds):
            fetches.round(book)
            began = time.perf_counter()
            peer.fetch(number % _GROUPS)
            seconds = time.perf_counter() - began
            book.add(UNSEEN, peer.name, seconds, note="a whole clone")
    finally:
        fetches.close()
