"""The directory of outputs and its limits in, a sentence out once they are passed.

For the time while a command runs; the outputs are examined when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tea_runner.host.openat import TooManyEntries, walk
from tea_runner.sandbox.protocol import Limits


def overflow(out: Path | None, limits: Limits) -> Callable[[], str] | None:
    """What looks at *out* and says which limit it has passed, or nothing; None without limits."""
    if out is None or (limits.output_bytes is None and limits.output_files is None):
        return None
    place = out

    def look() -> str:
        size = 0
        try:
            for found in walk(place, max_entries=limits.output_files):
                if not found.is_directory:
                    # a sparse file is as large as it looks to whoever copies it
                    size += max(found.stat.st_size, 512 * found.stat.st_blocks)
                if limits.output_bytes is not None and size > limits.output_bytes:
                    return f"the outputs are larger than the limit of {limits.output_bytes} bytes"
        except TooManyEntries:
            return f"the outputs are more than the limit of {limits.output_files} files"
        except OSError:
            return ""  # it is being written to, or closed; the examination at the end sees all
        return ""

    return look
