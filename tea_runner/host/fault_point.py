"""Named steps of jobs and plans, at which tests can make the program fail.

The product installs no handler: a step then costs one call of a function that does nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


def _ignore(_: str) -> None:
    pass


#: Called with the name of each moment; whatever it raises is raised by the step.
handler: Callable[[str], None] = _ignore


def reached(moment: str) -> None:
    """Call the handler for one moment, such as ``claim``."""
    handler(moment)


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Call the handler when a step begins (*name*) and when it has succeeded (``name.end``)."""
    handler(name)
    yield
    handler(f"{name}.end")
