"""The name of a step in, and, only where a test has armed it, a failure of the wanted kind out.

``TEA_RUNNER_FAIL="step:kind[:nth]"``, several divided by commas, is read once, when the process starts.
Without it a step costs one look into an empty dictionary.  A step has three moments: ``name`` when it
begins, ``name.middle`` a little later, from another thread, and ``name.end``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tea_runner.core.errors import OutsideError, SettingsError
from tea_runner.host.process import kill_descendants

VARIABLE = "TEA_RUNNER_FAIL"
#: Seconds between the beginning of a step and its ``.middle``.
MIDDLE = 0.01


@dataclass
class Fault:
    """What is to happen, and at which time that the step is reached."""

    kind: str
    nth: int


def parse(text: str) -> dict[str, Fault]:
    """What a value of the variable arms.

    :raises SettingsError: when it is not ``step:kind[:nth]``.
    """
    armed = {}
    for item in filter(None, text.split(",")):
        step, _, rest = item.partition(":")
        kind, _, nth = rest.partition(":")
        if kind not in KINDS or not (nth or "1").isdigit():
            raise SettingsError(
                f"{VARIABLE}={item}: expected step:kind[:nth], kind one of {', '.join(KINDS)}"
            )
        armed[step] = Fault(kind, int(nth or 1))
    return armed


def reached(step: str) -> None:
    """Say that a step was reached; what was armed for it happens now."""
    fault = _ARMED.get(step)
    if fault is None:
        return
    fault.nth -= 1
    if fault.nth == 0:
        print(f"fail point {step}: {fault.kind}", file=sys.stderr, flush=True)  # noqa: T201
        KINDS[fault.kind]()


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """The three moments of a step."""
    reached(name)
    if f"{name}.middle" in _ARMED:
        timer = threading.Timer(MIDDLE, reached, (f"{name}.middle",))
        timer.daemon = True
        timer.start()
    yield
    reached(f"{name}.end")


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


def _kill(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


KINDS: Mapping[str, Callable[[], None]] = {
    "exit": _exit,
    "kill": _kill(signal.SIGKILL),
    "term": _kill(signal.SIGTERM),
    "stop": _kill(signal.SIGSTOP),
    "child": kill_descendants,
    "raise": _raise,
    "outside": _outside,
    "enospc": _full,
    "hang": _hang,
}

_ARMED = parse(os.environ.get(VARIABLE, ""))
