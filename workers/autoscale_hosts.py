"""Autoscaler: starts and stops hosts with workers by the operator's commands, as the queue is long.

The list of hosts is a file in the state folder, written before a host is started and after it is stopped, so
that no host is forgotten: not when Redis is lost, and not when this process is killed in between.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tea_runner.core.errors import OutsideError, TeaError
from tea_runner.core.planning.scale_decision import (
    ScaleDecision,
    ScaledHost,
    ScaleLimits,
    decide_scale,
)
from tea_runner.core.planning.worker_requirement import read_class
from tea_runner.core.resource_demand import ANY_AMOUNT, OfferedResources, missing
from tea_runner.host import process
from tea_runner.wiring import Site

log = logging.getLogger(__name__)

#: Seconds before the next host is started after a command that failed: doubled with each failure.
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
#: The part of a command that is replaced.
_NAME = "{name}"


class HostAutoscaler:
    """Hosts of one server.

    :param drain: see :class:`ScaleLimits`.
    """

    def __init__(
        self, site: Site, *, drain: float = 15.0, clock: Callable[[], float] = time.time
    ) -> None:
        options = site.settings.autoscale
        self._site, self._options, self._clock = site, options, clock
        self._limits = ScaleLimits(
            minimum=options.minimum,
            maximum=max(options.minimum, options.maximum),
            jobs_per_host=options.jobs,
            idle=options.idle,
            boot=options.boot,
            drain=drain,
        )
        self._file = site.state_folder / "autoscale.json"
        self._hosts = _read(self._file)
        self._failures, self._not_before = 0, 0.0
        #: Why hosts are not started or stopped as they should be; empty for nothing.
        self.problem = ""

    @property
    def hosts(self) -> Sequence[ScaledHost]:
        """The hosts that were started and not stopped."""
        return tuple(self._hosts.values())

    def round(self) -> ScaleDecision:
        """Look once, and do what is to be done.

        :raises QueueError: when Redis does not answer; hosts stay as they are.
        """
        now = self._clock()
        self._look(now)
        decision = decide_scale(self.hosts, self._waiting(), self._limits, now)
        for name in decision.drain:
            self._hosts[name] = replace(self._hosts[name], draining=now)
        for name in decision.resume:
            self._hosts[name] = replace(self._hosts[name], draining=0.0)
        self._site.processes.drain(each.name for each in self.hosts if each.draining)
        problems = [problem for name in decision.stop if (problem := self._stop(name))]
        if now >= self._not_before:
            for _ in range(decision.start):
                if problem := self._start(now):
                    problems.append(problem)
                    break
        if problems or now >= self._not_before:
            self.problem = problems[0] if problems else ""
        self._write()
        return decision

    def forever(self, stopped: Callable[[float], bool]) -> None:
        """Look every ``autoscale.every`` seconds.

        :param stopped: waits for so many seconds; True when the loop is to end.
        """
        while True:
            try:
                self.round()
            except TeaError as error:
                self.problem = error.message
                log.warning("%s", error.message)
            if stopped(self._options.every):
                return

    def _waiting(self) -> int:
        """Jobs in queues that these hosts can do."""
        said = self._options.offers
        offered = ANY_AMOUNT
        if said is not None:
            offered = OfferedResources(
                cpus=said.cpus,
                memory=said.memory,
                disk=said.disk,
                gpus=said.gpus or 0,
                gpu_type=said.gpu_type or ANY_AMOUNT.gpu_type,
                labels=said.labels,
            )
        lengths = self._site.queues.lengths()
        return sum(
            number for each, number in lengths.items() if not missing(read_class(each)[1], offered)
        )

    def _look(self, now: float) -> None:
        """Note which hosts are heard of, and which have jobs."""
        rows = [row for row in self._site.processes.all() if row.kind == "job"]
        of_worker = {row.name: row.host for row in rows}
        live = self._site.jobs.live().values()
        jobs = Counter(of_worker.get(each.worker, "") for each in live if each.state == "running")
        heard = {row.host for row in rows}
        for name, host in self._hosts.items():
            running = jobs[name]
            self._hosts[name] = replace(
                host,
                jobs=running,
                heard=now if name in heard else host.heard,
                busy=now if running else host.busy,
            )

    def _start(self, now: float) -> str:
        """Start a host; returns what went wrong."""
        name = f"tea-auto-{uuid.uuid4().hex[:12]}"
        # Noted before: a host that started although its command failed is stopped in the end.
        self._hosts[name] = ScaledHost(name=name, started=now)
        self._write()
        problem = self._command("start", self._options.start, name)
        if not problem:
            log.info("host %s is started", name)
            self._failures = 0
            return ""
        self._failures += 1
        self._not_before = now + min(_FIRST_PAUSE * 2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        self._stop(name)
        return problem

    def _stop(self, name: str) -> str:
        """Stop a host; one whose command fails stays on the list, and is stopped again later."""
        problem = self._command("stop", self._options.stop, name)
        if not problem:
            log.info("host %s is stopped", name)
            del self._hosts[name]
        return problem

    def _command(self, what: str, words: Sequence[str], name: str) -> str:
        argv = [word.replace(_NAME, name) for word in words]
        try:
            process.run(
                argv,
                env={**self._site.variables, "TEA_RUNNER_WORKER__HOST": name},
                timeout=self._options.timeout,
                why=f"autoscale.{what} for {name}",
            )
        except (OutsideError, TeaError) as error:
            log.warning("%s", error.message)
            return error.message
        return ""

    def _write(self) -> None:
        rows = [asdict(each) for each in self.hosts]
        temporary = self._file.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(rows, indent=1), "utf-8")
            os.replace(temporary, self._file)
        except OSError as error:
            raise OutsideError(f"{self._file} cannot be written: {error}") from error


def _read(file: Path) -> dict[str, ScaledHost]:
    """The hosts in a file; none where there is none.

    :raises OutsideError: for a file that is none of ours: hosts in it would be forgotten.
    """
    if not file.exists():
        return {}
    try:
        hosts = [ScaledHost(**row) for row in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise OutsideError(
            f"{file}: the list of hosts cannot be read: {error}",
            hint="stop the hosts that run, and remove the file",
        ) from error
    return {host.name: host for host in hosts}
