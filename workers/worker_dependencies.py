"""What the jobs of a worker are run with: scratch folder, environments, limits, secrets."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.worker_requirement import Need
from tea_runner.core.redact import Redactor
from tea_runner.host.private_folder import make_private_folder
from tea_runner.sandbox.execution_environment import Environment, Limits
from tea_runner.sandbox.pipeline_secrets import GivenSecrets
from tea_runner.sandbox.scan_outputs import OutputLimits
from tea_runner.sandbox.scratch_folder import ScratchFolder
from tea_runner.wiring import Site


@dataclass(frozen=True, kw_only=True)
class WorkerDependencies:
    """What the jobs of a worker are run with."""

    scratch: ScratchFolder
    environment: Callable[[Pipeline], Environment]
    limits: Limits
    output_limits: OutputLimits
    network: bool
    #: Author and committer of results, as ``name <address>``.
    author: str
    #: Secrets of a pipeline of a job, as files in a folder and as environment variables.
    secrets: Callable[[Job, Pipeline, Path], GivenSecrets] = lambda *_: GivenSecrets()
    redactor: Redactor = field(default_factory=Redactor)
    #: Needs of jobs that can be done here; None where no other worker could do the rest.
    offers: Callable[[], Collection[Need]] | None = None
    #: Identity of the software that commands without an image see.
    software: Callable[[], str] = str


def worker_dependencies(site: Site, scratch: ScratchFolder | None = None) -> WorkerDependencies:
    """What jobs on this host are run with.

    :param scratch: without it, a folder that is removed when this process ends.
    :raises OutsideError: when that cannot be made.
    """
    if scratch is None:
        scratch = ScratchFolder(make_private_folder(site.settings.scratch.expanduser(), "scratch"))
        scratch.sweep()
        problem = scratch.problem()
        if problem:
            raise OutsideError(problem)
        atexit.register(scratch.close)
    return WorkerDependencies(
        scratch=scratch,
        environment=site.environment,
        limits=site.limits,
        network=site.settings.sandbox.network,
        author=site.author,
        software=lambda: site.software,
        output_limits=site.output_limits,
        secrets=site.give_secrets,
        redactor=site.redactor,
    )
