"""Scan a command's output directory for files to keep and files that must be refused.

Called after all processes of the command have ended.  Names, types and attributes are read, not contents.
Each file is opened once, without following links or blocking, so that FIFOs and links do no harm.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.core.results.output_owners import parents_of
from tea_runner.core.results.refused_outputs import (
    NamePolicy,
    OutputNameRules,
    Refusal,
    WrittenFile,
    printable,
    refusals,
)
from tea_runner.host.openat import DirectoryEntry, TooManyEntries, open_file, walk

#: Limit on the number of refusals that are collected.
_MAX_REFUSALS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ScannedOutputs:
    """What a scan entry."""

    #: Sorted by path.
    outputs: tuple[WrittenFile, ...]
    #: Empty directories, which git cannot store.
    empty: tuple[str, ...]
    #: When there are any, the datum has no result.
    refused: tuple[Refusal, ...]
    #: Bytes of all files.
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputLimits:
    """Limits on what a command may write; None means no limit."""

    #: Bytes of all files.
    size: int | None = None
    files: int | None = 1_000_000
    #: Names that they may have.
    names: NamePolicy = "git"


DEFAULT_RULES = OutputNameRules()
DEFAULT_LIMITS = OutputLimits()


def scan_outputs(
    out: Path,
    *,
    home: str = "",
    rules: OutputNameRules = DEFAULT_RULES,
    limits: OutputLimits = DEFAULT_LIMITS,
    pfs: str = "",
    out_at: str = "",
    declared: Sequence[str] | None = None,
) -> ScannedOutputs:
    """Scan all that is below *out*.

    :param home: the path in the dataset where the outputs go.
    :param pfs: path inside of the inputs (``/pfs``); a link to below it becomes an ``input link``, which
        the caller replaces by a copy.  When empty, links to inputs are refused as any other.
    :param out_at: path inside of *out* (``/pfs/out``), from which relative links are resolved.
    :param declared: paths below *out* that are outputs, with all that is in them; the directories above
        them are examined, too, and all else is ignored.  None for everything.
    """
    above = {parent for path in declared or () for parent in parents_of(path)}
    outputs: list[WrittenFile] = []
    refused: list[Refusal] = []
    directories: set[str] = set()
    non_empty: set[str] = set()
    size = count = 0
    #: Inode to the names of a file that have been found, and all that it has.
    named: dict[int, tuple[list[str], int]] = {}
    device = os.lstat(out).st_dev
    try:
        for entry in _entries(out, declared, limits, rules):
            if declared is not None and not is_below(entry.path, declared):
                if entry.path in above and (reason := _kind_refusal(entry, device, rules)):
                    refused.append(Refusal(entry.path, reason))
                continue
            count += 1
            if limits.files is not None and count > limits.files:
                raise TooManyEntries
            non_empty.add(entry.path.rpartition("/")[0])
            reason = _kind_refusal(entry, device, rules)
            if reason:
                refused.append(Refusal(entry.path, reason))
            elif entry.is_directory:
                directories.add(entry.path)
            else:
                output = _output(entry, pfs, out_at)
                # Sparse files count with their apparent size: a copy may have it.
                size += max(output.size, 512 * entry.stat.st_blocks)
                outputs.append(output)
                if output.kind == "file" and entry.stat.st_nlink > 1:
                    facts = entry.stat
                    named.setdefault(facts.st_ino, ([], facts.st_nlink))[0].append(entry.path)
            if limits.size is not None and size > limits.size:
                refused.append(
                    Refusal("", f"the outputs are larger than the limit of {limits.size} bytes")
                )
                break
            if len(refused) >= _MAX_REFUSALS:
                break
    except TooManyEntries:
        refused.append(Refusal("", f"the outputs are more than the limit of {limits.files} files"))
    except OSError as error:
        refused.append(Refusal("", f"the outputs cannot be read: {error.strerror or error}"))
    for found, all_names in named.values():
        if len(found) != all_names:
            reason = "has a second name elsewhere (a hard link); copy it instead"
            refused += (Refusal(path, reason) for path in found)
    outputs.sort(key=lambda output: os.fsencode(output.path))
    empty = tuple(sorted(directories - non_empty))
    if len(refused) < _MAX_REFUSALS:
        # Empty directories are not stored, but their names end up in copies of the tree.
        names = [WrittenFile(path=path) for path in empty]
        refused += refusals([*outputs, *names], home=home, rules=rules)
    return ScannedOutputs(
        outputs=tuple(outputs),
        empty=empty,
        refused=tuple(dict.fromkeys(refused[:_MAX_REFUSALS])),
        size=size,
    )


def _entries(
    out: Path, declared: Sequence[str] | None, limits: OutputLimits, rules: OutputNameRules
) -> Iterator[DirectoryEntry]:
    if declared is None:
        return walk(out, max_entries=limits.files, max_depth=rules.max_depth)
    # What cannot be opened is of no interest where it is not declared.
    return walk(out, max_depth=rules.max_depth, on_error=lambda _: None)


def is_below(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of these, or lies below one."""
    return any(path == place or path.startswith(place + "/") for place in places)


_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _kind_refusal(entry: DirectoryEntry, device: int, rules: OutputNameRules) -> str:
    """Why an entry of this type may not be a result, or an empty text."""
    mode = entry.stat.st_mode
    kind = stat.S_IFMT(mode)
    if kind in _KINDS:
        return f"is {_KINDS[kind]}; only files, directories and links become results"
    if entry.stat.st_dev != device:
        return "lies on another file system"
    if kind == stat.S_IFLNK:
        return ""
    if kind == stat.S_IFDIR:
        if entry.depth >= rules.max_depth:
            return f"lies deeper than {rules.max_depth} directories: too deep"
        return "" if mode & 0o500 == 0o500 else f"is closed to its owner (mode {mode & 0o777:03o})"
    if mode & 0o7000:
        return f"is setuid, setgid or sticky (mode {mode & 0o7777:04o})"
    if not mode & 0o400:
        return f"is closed to its owner (mode {mode & 0o777:03o})"
    return _attributes(entry)


def _attributes(entry: DirectoryEntry) -> str:
    try:
        descriptor = open_file(entry)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return ""  # the file system has none
    finally:
        os.close(descriptor)
    for name in names:
        if name.startswith(("user.", "system.posix_acl", "security.capability", "trusted.")):
            return f"has the attribute {printable(name)}, which a result cannot keep"
    return ""


def _output(entry: DirectoryEntry, pfs: str, out_at: str) -> WrittenFile:
    if stat.S_ISLNK(entry.stat.st_mode):
        target = os.readlink(entry.name, dir_fd=entry.parent)
        inside = _input_path(entry.path, target, pfs, out_at)
        if inside:
            return WrittenFile(path=entry.path, kind="input link", target=inside)
        return WrittenFile(path=entry.path, kind="symlink", target=target)
    return WrittenFile(
        path=entry.path,
        size=entry.stat.st_size,
        executable=bool(entry.stat.st_mode & 0o100),
    )


def _input_path(path: str, target: str, pfs: str, out_at: str) -> str:
    """Path below the inputs that a link leads to; empty when it leads elsewhere."""
    if not pfs:
        return ""
    resolved = posixpath.normpath(posixpath.join(out_at, posixpath.dirname(path), target))
    within = resolved == out_at or resolved.startswith(out_at + "/")
    if within or not resolved.startswith(pfs + "/"):
        return ""
    return resolved.removeprefix(pfs + "/")
