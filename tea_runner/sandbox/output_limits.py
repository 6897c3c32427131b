"""Check the size and number of outputs while a command runs; they are scanned in full at its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tea_runner.host.openat import TooManyEntries, walk
from tea_runner.sandbox.protocol import Limits


def overflow(out: Path | None, limits: Limits) -> Callable[[], str] | None:
    """A function that returns which limit the files in *out* exceed, or an empty text.

    None when there is no limit.
    """
    if out is None or (limits.output_bytes is None and limits.output_files is None):
        return None
    directory = out

    def check() -> str:
        size = 0
        try:
            for entry in walk(directory, max_entries=limits.output_files):
                if not entry.is_directory:
                    # Sparse files count with their apparent size: a copy may have it.
                    size += max(entry.stat.st_size, 512 * entry.stat.st_blocks)
                if limits.output_bytes is not None and size > limits.output_bytes:
                    return f"the outputs are larger than the limit of {limits.output_bytes} bytes"
        except TooManyEntries:
            return f"the outputs are more than the limit of {limits.output_files} files"
        except OSError:
            return ""  # changed during the walk, or not readable; the scan at the end finds it
        return ""

    return check
