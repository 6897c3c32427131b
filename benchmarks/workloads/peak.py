"""``python -m benchmarks.workloads.peak SETTINGS REPOSITORY``: how far one plan lets memory grow, in kB.

A process of its own, which has done nothing before: what another plan has let go of would be used again
and not be counted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.workloads.plan import make
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.host.gc_tuning import raise_gc_thresholds
from tea_runner.settings import load_settings
from tea_runner.wiring import Site


def main(settings: str, name: str) -> None:
    """Plan the repository's main branch, and print the growth."""
    raise_gc_thresholds()
    site = Site(load_settings(file=Path(settings), env={}, flags={}), dict(os.environ))
    repository = site.repository(name)
    # Let the kernel begin to count the peak anew (proc_pid_clear_refs(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before, planner = _peak(), IncrementalPlanner()
    planned = make(repository, planner)
    grown = _peak() - before
    assert planned.plan.pipelines[0].state == "settled"
    repository.close()
    print(grown)


def _peak() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
