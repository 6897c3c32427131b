"""A planner and a worker in a process of their own, whose memory is measured.

Arguments: settings file, repository.  Plans ``main``, does its jobs, plans again, and prints JSON: peak of
resident memory of this process in bytes, and what was said.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from io import StringIO
from pathlib import Path

from tea_runner.host.tool_search_path import tool_path
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker
from workers.reconciler import Reconciler


def main() -> None:
    """Do it."""
    log = StringIO()
    logging.basicConfig(stream=log, level=logging.INFO)
    env = {**os.environ, "PATH": tool_path(os.environ), "GIT_CONFIG_GLOBAL": "/dev/null"}
    site = Site(load_settings(file=Path(sys.argv[1]), env={}, flags={}), env)
    planner, worker = BranchPlanner(site), JobWorker(site, "worker-measured")
    Reconciler(site).round()
    said, state = "", ""
    for _ in range(2):
        advance = planner.plan(sys.argv[2], "main")
        for progress in advance.pipelines.values() if advance is not None else ():
            state = progress.state
            said += "\n".join([progress.detail, *(d.detail for d in progress.decisions), ""])
        said += "\n".join(advance.problems if advance is not None else ())
        for job in site.jobs.waiting():
            worker(job)
    # Not getrusage(2): it begins with the memory of the process that started this one.
    text = Path("/proc/self/status").read_text("ascii")
    peak = int(text.partition("VmHWM:")[2].split()[0]) * 1024
    planner.close()
    worker.close()
    print(json.dumps({"peak": peak, "state": state, "said": (said + log.getvalue())[:100_000]}))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main()
