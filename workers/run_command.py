"""Runs the command of a datum: its tries, time limits and error handler."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tea_runner.core.errors import Cancelled, CommandFailed, JobError, TimedOut
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.redact import Redactor
from tea_runner.core.resource_demand import size_words
from tea_runner.sandbox.execution_environment import Environment, Execution, Outcome
from workers.last_output_line import LastLine

#: A limit of memory in bytes to the next one.
MoreMemory = Callable[[int], int | None]
_NO_SECRETS = Redactor()


@dataclass(frozen=True, kw_only=True)
class CommandRun:
    """A command that ended with an accepted code, or whose error handler did."""

    code: int
    how: Literal["done", "recovered"]
    seconds: float
    attempts: int


@dataclass(kw_only=True)
class CommandUse:
    """What the commands of one datum used, with all tries and the error handler; None where unknown."""

    seconds: float = 0.0
    cpu: float | None = None
    memory: int | None = None
    #: The last limit of memory with which the command ran again.
    raised_memory: int | None = None

    def add(self, outcome: Outcome) -> None:
        """Add one command."""
        self.seconds += outcome.seconds
        if outcome.cpu is not None:
            self.cpu = (self.cpu or 0.0) + outcome.cpu
        if outcome.memory is not None:
            self.memory = max(self.memory or 0, outcome.memory)


def run_datum(
    pipeline: Pipeline,
    execution: Execution,
    environment: Environment,
    *,
    clear: Callable[[], None],
    deadline: float | None = None,
    redactor: Redactor = _NO_SECRETS,
    use: CommandUse | None = None,
    more_memory: MoreMemory = lambda _: None,
) -> CommandRun:
    """Run the pipeline's command on one datum, at most ``datum_tries`` times.

    :param execution: what to run and where; time limits and error handlers come from the pipeline.
    :param clear: removes the outputs of a try before the next one.
    :param deadline: seconds left of the pipeline's ``job_timeout``, for all tries and the error
        handler together; ``datum_timeout`` is for each.
    :param redactor: takes secrets out of the last line that a failed command printed.
    :param use: what the commands use is added to it.
    :param more_memory: the next limit after one, in bytes, that was not enough; None for no more.  Running
        again with it is no further try.
    :raises CommandFailed: when the last try ended with a code that is not accepted.
    :raises TimedOut: when it took too long, also for ``sandbox.wall_clock``, which is for all tries and
        the error handler together.
    :raises Cancelled: when the job was stopped.
    """
    transform = pipeline.transform
    clock = _clock(pipeline, deadline, execution.limits.wall_clock)
    log, printed = execution.log, LastLine()

    def keep(chunk: bytes) -> None:
        printed.write(chunk)
        log(chunk)

    tried = replace(execution, log=keep)
    use = use or CommandUse()
    accepted = {0, *transform.accept_return_code}
    tries = max(1, pipeline.datum_tries)
    for attempt in range(1, tries + 1):
        if attempt > 1:
            clear()
            printed.clear()
            log(f"tea-runner: try {attempt} of {tries}\n".encode())
        outcome = environment.run(replace(tried, timeout=_limit(pipeline, clock)))
        use.add(outcome)
        while outcome.oom and not clock.is_past:
            more = more_memory(tried.limits.memory or 0)
            if more is None:
                break
            use.raised_memory = more
            clear()
            printed.clear()
            log(
                f"tea-runner: {size_words(tried.limits.memory or 0)} of memory were not enough; "
                f"trying again with {size_words(more)}\n".encode()
            )
            tried = replace(tried, limits=replace(tried.limits, memory=more))
            outcome = environment.run(replace(tried, timeout=_limit(pipeline, clock)))
            use.add(outcome)
        if outcome.cancelled:
            raise Cancelled("it was stopped")
        if outcome.code in accepted and not outcome.timed_out:
            return CommandRun(
                code=outcome.code or 0, how="done", seconds=outcome.seconds, attempts=attempt
            )
        if clock.is_past:
            break
    if clock.is_past:
        raise TimedOut(clock.sentence)
    if transform.err_cmd:
        clear()
        log(b"tea-runner: the command failed; running err_cmd\n")
        handler = replace(
            execution, limits=tried.limits, argv=transform.err_cmd, stdin=lines(transform.err_stdin)
        )
        after = environment.run(replace(handler, timeout=_limit(pipeline, clock)))
        use.add(after)
        if after.cancelled:
            raise Cancelled("it was stopped")
        if after.code == 0 and not after.timed_out:
            return CommandRun(code=0, how="recovered", seconds=after.seconds, attempts=tries)
        if clock.is_past:
            raise TimedOut(clock.sentence)
    error = _failure(outcome, pipeline.datum_timeout, tries, tried.limits.memory)
    error.last_line = printed.text(redactor)
    raise error


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """The time at which a datum has to end, with the sentence for one that does not."""

    end: float = math.inf
    sentence: str = ""

    @property
    def is_past(self) -> bool:
        return time.monotonic() >= self.end


def _clock(pipeline: Pipeline, deadline: float | None, wall_clock: float | None) -> _Clock:
    """The pipeline's or the operator's clock: the one that ends first."""
    now = time.monotonic()
    clocks = [_Clock()]
    if deadline is not None:
        said = f"the job took longer than its job_timeout of {pipeline.job_timeout or 0:g} s"
        clocks.append(_Clock(end=now + deadline, sentence=said))
    if wall_clock is not None:
        said = f"the datum took longer than the {wall_clock:g} s that sandbox.wall_clock allows"
        clocks.append(_Clock(end=now + wall_clock, sentence=said))
    return min(clocks, key=lambda clock: clock.end)


def _limit(pipeline: Pipeline, clock: _Clock) -> float | None:
    """Seconds that the next command may take."""
    left = max(0.0, clock.end - time.monotonic())
    limits = (each for each in (pipeline.datum_timeout, left) if each is not None)
    return min(limits) if clock.sentence else pipeline.datum_timeout


def lines(lines: tuple[str, ...]) -> bytes | None:
    """Standard input of a command from its lines; None for no lines."""
    if not lines:
        return None
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def _failure(
    outcome: Outcome, limit: float | None, tries: int, memory: int | None = None
) -> JobError:
    after = f" ({tries} tries)" if tries > 1 else ""
    of = f" of {size_words(memory)}" if memory else ""
    if outcome.timed_out:
        return TimedOut(
            f"the command took longer than its datum_timeout of {limit or 0:g} s{after}"
        )
    if outcome.overflow:
        return CommandFailed(f"{outcome.overflow}{after}", 1)
    if outcome.oom:
        return CommandFailed(f"the command used more memory than its limit{of}{after}", 137)
    if outcome.code == 127:
        return CommandFailed(
            f"the command was not found{after}; see the log, and the PATH of the sandbox", 127
        )
    if outcome.signal:
        return CommandFailed(f"the command was ended by signal {outcome.signal}{after}", 1)
    return CommandFailed(f"the command exited {outcome.code}{after}", outcome.code or 1)
