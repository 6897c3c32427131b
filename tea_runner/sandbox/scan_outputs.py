"""A directory that a command wrote in, what lies there and what is refused out.

Called when nothing of the command is alive any more.  Only names and kinds are read here, not
content; each file is opened once without following or waiting, so that a FIFO cannot hang us and a
link cannot lead us astray.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.results.output_policy import (
    OutputNameRules,
    Refusal,
    WrittenFile,
    refusals,
    shown,
)
from tea_runner.host.openat import DirectoryEntry, TooManyEntries, open_file, walk

#: At most so many reasons are collected; a million of them help nobody.
_REASONS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanResult:
    """What a command wrote."""

    #: In the order of their paths.
    outputs: tuple[WrittenFile, ...]
    #: Directories with nothing in them: git cannot keep them.
    empty: tuple[str, ...]
    #: Not empty: nothing of it may become a result.
    refused: tuple[Refusal, ...]
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputLimits:
    """How much a command may write; None is no limit."""

    size: int | None = None
    files: int | None = 1_000_000


RULES = OutputNameRules()
BOUNDS = OutputLimits()


def scan_outputs(
    out: Path,
    *,
    home: str = "",
    rules: OutputNameRules = RULES,
    bounds: OutputLimits = BOUNDS,
    pfs: str = "",
    out_at: str = "",
) -> ScanResult:
    """Look at all that lies below *out*.

    :param home: where it will lie in the dataset.
    :param pfs: the inside path of the inputs (``/pfs``); a link to below it is an ``input link``,
        for the caller to replace by a copy. Empty: links to inputs are refused as any other.
    :param out_at: the inside path of *out* (``/pfs/out``), where relative links began.
    """
    outputs: list[WrittenFile] = []
    refused: list[Refusal] = []
    directories: set[str] = set()
    filled: set[str] = set()
    size = 0
    device = os.lstat(out).st_dev
    try:
        for found in walk(out, max_entries=bounds.files, max_depth=rules.deepest):
            filled.add(found.path.rpartition("/")[0])
            why = _kind_refusal(found, device, rules)
            if why:
                refused.append(Refusal(found.path, why))
            elif found.is_directory:
                directories.add(found.path)
            else:
                output = _output(found, pfs, out_at)
                # a sparse file is as large as it looks to whoever copies it
                size += max(output.size, 512 * found.stat.st_blocks)
                outputs.append(output)
            if bounds.size is not None and size > bounds.size:
                refused.append(
                    Refusal("", f"the outputs are larger than the limit of {bounds.size} bytes")
                )
                break
            if len(refused) >= _REASONS:
                break
    except TooManyEntries:
        refused.append(Refusal("", f"the outputs are more than the limit of {bounds.files} files"))
    except OSError as error:
        refused.append(Refusal("", f"the outputs cannot be read: {error.strerror or error}"))
    outputs.sort(key=lambda output: os.fsencode(output.path))
    empty = tuple(sorted(directories - filled))
    if len(refused) < _REASONS:
        # git does not keep empty directories, but whoever copies a tree does
        names = [WrittenFile(path=path) for path in empty]
        refused += refusals([*outputs, *names], home=home, rules=rules)
    return ScanResult(
        outputs=tuple(outputs),
        empty=empty,
        refused=tuple(dict.fromkeys(refused[:_REASONS])),
        size=size,
    )


_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _kind_refusal(found: DirectoryEntry, device: int, rules: OutputNameRules) -> str:
    """Why this kind of thing may not be a result, or nothing."""
    mode = found.stat.st_mode
    kind = stat.S_IFMT(mode)
    if kind in _KINDS:
        return f"is {_KINDS[kind]}; only files, directories and links become results"
    if found.stat.st_dev != device:
        return "lies on another file system"
    if kind == stat.S_IFLNK:
        return ""
    if kind == stat.S_IFDIR:
        if found.depth >= rules.deepest:
            return f"lies deeper than {rules.deepest} directories: too deep"
        return "" if mode & 0o500 == 0o500 else f"is closed to its owner (mode {mode & 0o777:03o})"
    if mode & 0o7000:
        return f"is setuid, setgid or sticky (mode {mode & 0o7777:04o})"
    if found.stat.st_nlink != 1:
        return "has a second name (a hard link); copy it instead"
    if not mode & 0o400:
        return f"is closed to its owner (mode {mode & 0o777:03o})"
    return _attributes(found)


def _attributes(found: DirectoryEntry) -> str:
    try:
        descriptor = open_file(found)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return ""  # a file system without them
    finally:
        os.close(descriptor)
    for name in names:
        if name.startswith(("user.", "system.posix_acl", "security.capability", "trusted.")):
            return f"has the attribute {shown(name)}, which a result cannot keep"
    return ""


def _output(found: DirectoryEntry, pfs: str, out_at: str) -> WrittenFile:
    if stat.S_ISLNK(found.stat.st_mode):
        target = os.readlink(found.name, dir_fd=found.parent)
        inside = _input(found.path, target, pfs, out_at)
        if inside:
            return WrittenFile(path=found.path, kind="input link", target=inside)
        return WrittenFile(path=found.path, kind="symlink", target=target)
    return WrittenFile(
        path=found.path,
        size=found.stat.st_size,
        executable=bool(found.stat.st_mode & 0o100),
    )


def _input(path: str, target: str, pfs: str, out_at: str) -> str:
    """Where below the inputs a link leads, or nothing when it leads elsewhere."""
    if not pfs:
        return ""
    place = posixpath.normpath(posixpath.join(out_at, posixpath.dirname(path), target))
    within = place == out_at or place.startswith(out_at + "/")
    if within or not place.startswith(pfs + "/"):
        return ""
    return place.removeprefix(pfs + "/")
