"""The long runs: 100,000 one-millisecond datums with the memory they take, and more and more workers."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.datasets import PFS_SPEC, small_files
from benchmarks.figure import Book, Plan
from benchmarks.stand import Stand

MANY = "{n:,} one-millisecond datums, whole way"
MEMORY = "largest process of that run"
FLAT = "largest growth of a process over the last 5 of {n} pushes that compute 2,500 datums anew"
REDIS = "Redis at its largest in that run"
WORKERS = "{w} workers, datums that sleep 0.5 s: share of the ideal rate"

_TINY = """\
pipeline: {name: tiny}
input: {pfs: {repo: in, glob: "/*/*"}}
transform: {cmd: [sh, -c, 'cat "$PFS"/in/*/* | cut -c1-8 > "$PFS/out/$(ls "$PFS"/in/*)"']}
"""
_PUSHES = 25
_SLEEP = PFS_SPEC.replace("sums", "sleeps").replace("for f in", "sleep 0.5; for f in")


def measure_many(root: Path, book: Book, plan: Plan) -> None:
    """Only in the long run: 100,000 datums."""
    if plan.long:
        _many(root / "many", book, 100_000)


def measure_workers(root: Path, book: Book, plan: Plan) -> None:
    """One to four workers; in the long run to 64."""
    for workers in (1, 2, 4, 8, 16, 32, 64) if plan.long else (1, 2, 4):
        _workers(root / f"workers-{workers}", book, workers)


def _create(stand: Stand, count: int, *, folders: int) -> None:
    """A dataset of so many tiny files in git."""
    stand.create(files={})
    for index in range(count):
        path = stand.dataset / "in" / f"d{index % folders:03d}" / f"f{index:06d}"
        if index < folders:
            path.parent.mkdir(parents=True)
        path.write_text(f"{index:08d}\n")
    (stand.dataset / ".gitattributes").write_text("* annex.largefiles=nothing\n")


def _many(root: Path, book: Book, count: int) -> None:
    stand = Stand(root, sandbox="bwrap")
    _create(stand, count, folders=1000)
    stand.write({"tiny/spec.yml": _TINY})
    stand.git("add", "-A")
    stand.git("commit", "-q", "-m", "inputs")
    stand.start()
    try:
        stand.git("push", "-q", "origin", "git-annex")
        began = time.perf_counter()
        commit = stand.push_now()
        redis, sizes = 0.0, list[list[float]]()
        while stand.head() == commit:
            sizes.append([_resident(pid) for pid in stand.pids])
            redis = max(redis, float(stand.site().redis.info("memory")["used_memory"]))
            time.sleep(0.5)
            assert time.perf_counter() - began < 7200
        seconds = time.perf_counter() - began
    finally:
        stand.close()
    book.add(MANY.format(n=count), "tea-runner", seconds, goal=720, note="sandbox for each")
    largest = max(map(max, sizes))
    book.add(MEMORY, "tea-runner", largest / 1000, unit="kB", goal=500_000)
    book.add(REDIS, "tea-runner", redis / 1000, unit="kB", goal=200_000)


def measure_pushes(root: Path, book: Book, plan: Plan) -> None:
    """Only in the long run: what planner and workers keep of former pushes."""
    if not plan.long:
        return
    stand = Stand(root, workers=2)
    _create(stand, 2500, folders=100)
    stand.start()
    sizes = []
    try:
        for number in range(_PUSHES):
            stand.write({"tiny/spec.yml": _TINY.replace("cut -c1-8", f"cut -c1-{8 + number}")})
            stand.git("add", "-A")
            stand.git("commit", "-q", "-m", "pipeline")
            stand.results(stand.push_now())
            stand.planned(stand.head())
            stand.git("pull", "-q", "--ff-only", "origin", "main")
            sizes.append([_resident(pid) for pid in stand.pids])
    finally:
        stand.close()
    grown = max(last - first for first, last in zip(sizes[-6], sizes[-1], strict=True))
    book.add(FLAT.format(n=_PUSHES), "tea-runner", grown / 1000, unit="kB", goal=2000)


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1]) * 1000
    return 0.0


def _workers(root: Path, book: Book, workers: int) -> None:
    count = 12 * workers
    stand = Stand(root, sandbox="off", workers=workers)
    stand.create(files={})
    small_files(stand.dataset, count)
    (stand.dataset / ".gitattributes").write_text("* annex.largefiles=nothing\n")
    stand.git("add", "-A")
    stand.git("commit", "-q", "-m", "inputs")
    stand.start()
    try:
        time.sleep(2 + workers / 4)
        for number in (1, 2):  # the first makes the mirrors and the pace known
            stand.write({"sleeps/spec.yml": _SLEEP % number})
            stand.git("add", "-A")
            stand.git("commit", "-q", "-m", "pipeline")
            began = time.perf_counter()
            commit = stand.push_now()
            seconds = stand.results(commit) - began
            stand.planned(stand.head())
            stand.git("pull", "-q", "--ff-only", "origin", "main")
    finally:
        stand.close()
    ideal = 0.5 * count / workers
    book.add(WORKERS.format(w=workers), "tea-runner", 100 * ideal / seconds, unit="%", goal=90)
