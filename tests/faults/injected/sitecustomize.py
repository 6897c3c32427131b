"""Faults that a process meets at named steps, armed by an environment variable.

Python imports this module when it starts with this folder on ``PYTHONPATH``.
``TEA_FAULTS_ARM="step:kind[:nth]"``, several separated by commas, arms the process: it meets the fault
the *nth* time that it reaches the step.  A step has three moments: ``name`` when it begins,
``name.middle`` :data:`MIDDLE` seconds later, from another thread, and ``name.end``.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tea_runner.core.errors import OutsideError
from tea_runner.host import fault_point
from tea_runner.host.process import kill_descendants

VARIABLE = "TEA_FAULTS_ARM"
#: Seconds from the beginning of a step to its ``.middle``.
MIDDLE = 0.01


@dataclass
class Fault:
    """A kind of fault, and how many more times its step is reached until it happens."""

    kind: str
    countdown: int


def parse(text: str) -> dict[str, Fault]:
    """Moment to fault, from the variable's value.

    :raises ValueError: when it is not ``step:kind[:nth]``.
    """
    armed = {}
    for item in filter(None, text.split(",")):
        moment, _, rest = item.partition(":")
        kind, _, nth = rest.partition(":")
        if kind not in KINDS or not (nth or "1").isdigit():
            raise ValueError(
                f"{VARIABLE}={item}: expected step:kind[:nth], kind one of {', '.join(KINDS)}"
            )
        armed[moment] = Fault(kind, int(nth or 1))
    return armed


class FaultInjector:
    """A step hook that makes the armed faults happen."""

    def __init__(self, armed: Mapping[str, Fault]) -> None:
        self._armed = armed

    def __call__(self, moment: str) -> None:
        """Let the fault of this moment happen, if one is armed and its time has come."""
        self._meet(moment)
        middle = f"{moment}.middle"
        if middle in self._armed:
            timer = threading.Timer(MIDDLE, self._meet, (middle,))
            timer.daemon = True
            timer.start()

    def _meet(self, moment: str) -> None:
        fault = self._armed.get(moment)
        if fault is None:
            return
        fault.countdown -= 1
        if fault.countdown == 0:
            os.write(2, f"fail point {moment}: {fault.kind}\n".encode())
            KINDS[fault.kind]()


def _exit() -> None:
    os._exit(1)


def _raise() -> None:
    raise RuntimeError("a fail point")


def _outside() -> None:
    raise OutsideError("a fail point: the outside world failed")


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "fail point")


def _hang() -> None:
    time.sleep(3600)


def _signal(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


KINDS: Mapping[str, Callable[[], None]] = {
    "exit": _exit,
    "kill": _signal(signal.SIGKILL),
    "term": _signal(signal.SIGTERM),
    "stop": _signal(signal.SIGSTOP),
    "child": kill_descendants,
    "raise": _raise,
    "outside": _outside,
    "enospc": _full,
    "hang": _hang,
}

if os.environ.get(VARIABLE):
    fault_point.handler = FaultInjector(parse(os.environ[VARIABLE]))
