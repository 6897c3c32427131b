"""Planner and worker of one host, moved by hand: one plan, one job at a time."""

from __future__ import annotations

from tea_runner.flow.advance_outcome import BranchProgress
from tests.e2e.lab import Lab
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker, worker_name
from workers.reconciler import Reconciler


class Hands:
    """One host of a lab; a test says when it does what."""

    def __init__(self, lab: Lab, host: str = "host") -> None:
        self._lab = lab
        self.site = lab.site(host)
        self.planner = BranchPlanner(self.site)
        self.worker = JobWorker(self.site, worker_name(host))
        self.reconciler = Reconciler(self.site)

    def plan(self, branch: str = "main") -> BranchProgress | None:
        """Plan a branch, and publish what is finished."""
        return self.planner.plan(self._lab.name, branch)

    def work(self, number: int | None = None) -> list[str]:
        """Do waiting jobs, all or so many; returns their ids."""
        jobs = sorted(self.site.jobs.waiting())[:number]
        for job in jobs:
            self.worker(job)
        return jobs

    def close(self) -> None:
        """End the processes behind it."""
        self.planner.close()
        self.worker.close()
