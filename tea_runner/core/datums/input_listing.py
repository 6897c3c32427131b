"""Sorted listing of an input's files, with the directories that follow from them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise


class Listing:
    """The files of one input and their directories, which are the candidates of its glob.

    Paths are relative to the input's directory, without slashes at their ends; that directory is
    the empty path, and a candidate like any other.  As in Pachyderm, a directory without files is no
    candidate.
    """

    def __init__(self, files: Sequence[str]) -> None:
        in_order = all(first < second for first, second in pairwise(files))
        #: Sorted by code points, without duplicates.
        self.files: Sequence[str] = files if in_order else sorted(set(files))

    def edited(self, *, removed: Iterable[str], added: Iterable[str]) -> Listing:
        """A copy without the files *removed* and with the files *added*."""
        files = list(self.files)
        for path in removed:
            del files[bisect_left(files, path)]
        for path in added:
            insort(files, path)
        new = Listing(())
        new.files = files
        return new

    def has(self, path: str) -> bool:
        """Whether the listing contains this file."""
        index = bisect_left(self.files, path)
        return index < len(self.files) and self.files[index] == path

    def __repr__(self) -> str:
        return f"Listing({len(self.files)} files)"

    @cached_property
    def directories(self) -> Sequence[str]:
        """All directories, sorted; with the empty path, if there is any file."""
        found = {""} if self.files else set()
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
        """All files below a directory."""
        return _below(self.files, path)

    def candidates(
        self, prefix: str = "", max_depth: int | None = None
    ) -> Iterator[tuple[str, bool]]:
        """Files and directories that begin with *prefix* and have at most *max_depth* parts, sorted.

        Yields pairs (path, is directory); a directory sorts as if it ended in ``/``.
        """
        deepest = max_depth - 1 if max_depth is not None else None
        rows = [
            (path + "/", path, True)
            for path in _with_prefix(self.directories, prefix)
            if deepest is None or path.count("/") <= deepest
        ]
        rows += [
            (path, path, False)
            for path in _with_prefix(self.files, prefix)
            if deepest is None or path.count("/") <= deepest
        ]
        rows.sort()
        return ((path, is_dir) for _, path, is_dir in rows)


def _below(paths: Sequence[str], directory: str) -> Sequence[str]:
    if not directory:
        return paths
    # "0" is the next character after "/".
    return paths[bisect_left(paths, directory + "/") : bisect_left(paths, directory + "0")]


def _with_prefix(paths: Sequence[str], prefix: str) -> Sequence[str]:
    if not prefix:
        return paths
    start = bisect_left(paths, prefix)
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1) if ord(prefix[-1]) < 0x10FFFF else None
    return paths[start : bisect_left(paths, after) if after else len(paths)]
