"""The task of a Dask worker: start tea-runner for one job and wait for it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tea_runner.core.errors import OutsideError
from tea_runner.host import process


def carry_out(words: Sequence[str]) -> tuple[int, str]:
    """Start a command and wait for its end.

    :returns: the exit code, and the last line of its messages.
    """
    try:
        done = process.run(words, env=os.environ, timeout=None, check=False)
    except OutsideError as error:
        return 127, str(error)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, lines[-1][:500] if lines else ""
