"""``python -m benchmarks [--long] [--rounds N] [WORKLOAD…]``: measure, and write the report."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.figure import Book, Plan
from benchmarks.workloads import commit, fetch, latency, plan, receiver, scale, small
from tea_runner.host import process
from tea_runner.host.gc_tuning import raise_gc_thresholds
from tea_runner.host.tool_search_path import tool_path

WORKLOADS: dict[str, Callable[[Path, Book, Plan], None]] = {
    "small": small.measure,
    "plan": plan.measure,
    "fetch": fetch.measure,
    "commit": commit.measure,
    "latency": latency.measure,
    "receiver": receiver.measure,
    "workers": scale.measure_workers,
    "pushes": scale.measure_pushes,
    "many": scale.measure_many,
}


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--long", action="store_true", help="with the runs that take an hour")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("workloads", nargs="*", default=[])
    asked = parser.parse_args()
    raise_gc_thresholds()  # as the program itself does
    room = Path(tempfile.mkdtemp(prefix="tea-bench-", dir=_memory()))
    book = Book()
    machine = _machine(room)
    failed = False
    try:
        for name in asked.workloads or WORKLOADS:
            print(name, flush=True)
            try:
                WORKLOADS[name](room / name, book, Plan(long=asked.long, rounds=asked.rounds))
            except Exception as error:
                # One workload that cannot be run here is no reason to lose the others' figures.
                failed = True
                book.leave_out(f"workload {name}", f"{type(error).__name__}: {error}"[:200])
            shutil.rmtree(room / name, ignore_errors=True)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    machine["load when it ended"] = _load()
    report.write(book, machine)
    return int(failed)


def _memory() -> str:
    """A folder in memory where there is one: a disk measures its own history of deleted files."""
    place = os.environ.get("TEA_BENCH_ROOT", "/dev/shm")
    return place if os.access(place, os.W_OK) else tempfile.gettempdir()


def _machine(room: Path) -> dict[str, str]:
    env = {**os.environ, "PATH": tool_path(os.environ)}

    def says(*argv: str) -> str:
        return bytes(process.run(argv, env=env).stdout).decode().splitlines()[0]

    kind = says("stat", "-f", "-c", "%T", str(room))
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "files": kind,
        "programs": f"Python {platform.python_version()}, {says('git', '--version')}, "
        f"git-annex {says('git-annex', 'version', '--raw')}",
        "load when it began": _load(),
    }


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
