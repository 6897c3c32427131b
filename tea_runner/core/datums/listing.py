"""The files of one input's place in; its directories, and what lies below a path, out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise


class Listing:
    """Candidates of one input: files, and the directories that follow from them.

    Paths are relative to the input's place, without slashes at their ends; the place itself is the
    empty path, and a directory like any other.
    """

    def __init__(self, files: Sequence[str]) -> None:
        in_order = all(first < second for first, second in pairwise(files))
        #: Sorted by code points, each once.
        self.files: Sequence[str] = files if in_order else sorted(set(files))

    def edited(self, *, removed: Iterable[str], added: Iterable[str]) -> Listing:
        """The listing without some files that it has, and with some that it has not."""
        files = list(self.files)
        for path in removed:
            del files[bisect_left(files, path)]
        for path in added:
            insort(files, path)
        new = Listing(())
        new.files = files
        return new

    def has(self, path: str) -> bool:
        """Whether it has a file."""
        index = bisect_left(self.files, path)
        return index < len(self.files) and self.files[index] == path

    def __repr__(self) -> str:
        return f"Listing({len(self.files)} files)"

    @cached_property
    def directories(self) -> Sequence[str]:
        """All directories, the place itself included, sorted."""
        found = {""}
        last = ""
        for path in self.files:
            directory = path.rpartition("/")[0]
            if directory == last:
                continue
            last = directory
            while directory not in found:
                found.add(directory)
                directory = directory.rpartition("/")[0]
        return sorted(found)

    def files_below(self, path: str) -> Sequence[str]:
        """The files in a directory and below it."""
        return _below(self.files, path)

    def candidates(
        self, prefix: str = "", max_depth: int | None = None
    ) -> Iterator[tuple[str, bool]]:
        """Paths that begin with *prefix* and have at most *max_depth* parts, sorted.

        Each comes with whether it is a directory; a directory sorts as if it ended in ``/``.
        """
        deepest = max_depth - 1 if max_depth is not None else None
        rows = [
            (path + "/", path, True)
            for path in _beginning(self.directories, prefix)
            if deepest is None or path.count("/") <= deepest
        ]
        rows += [
            (path, path, False)
            for path in _beginning(self.files, prefix)
            if deepest is None or path.count("/") <= deepest
        ]
        rows.sort()
        return ((path, is_dir) for _, path, is_dir in rows)


def _below(paths: Sequence[str], directory: str) -> Sequence[str]:
    if not directory:
        return paths
    # "0" is the character after "/".
    return paths[bisect_left(paths, directory + "/") : bisect_left(paths, directory + "0")]


def _beginning(paths: Sequence[str], prefix: str) -> Sequence[str]:
    if not prefix:
        return paths
    start = bisect_left(paths, prefix)
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1) if ord(prefix[-1]) < 0x10FFFF else None
    return paths[start : bisect_left(paths, after) if after else len(paths)]
