"""Hook that is called as jobs and plans pass named steps, so that tests can make a step fail.

The product installs no hook: a step then costs one call of a function that does nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


def _ignore(_: str) -> None:
    pass


#: Called with the name of each moment; whatever it raises is raised by the step.
hook: Callable[[str], None] = _ignore


def reached(moment: str) -> None:
    """Call the hook for one moment, such as ``claim``."""
    hook(moment)


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Call the hook when a step begins (*name*) and when it has succeeded (``name.end``)."""
    hook(name)
    yield
    hook(f"{name}.end")
