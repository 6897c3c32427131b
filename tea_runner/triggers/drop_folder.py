"""Folders outside a dataset into which others put files: each is copied into the dataset once."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import OutsideError, UsageError
from tea_runner.core.results.reserved_names import reserved_part
from tea_runner.host.openat import DirectoryEntry, TooManyEntries, open_file, walk
from tea_runner.triggers.settled_files import Fingerprint, is_temporary

log = logging.getLogger(__name__)

#: Bytes of a list of imported files that is believed; a longer one is made anew.
_LARGEST_STATE = 256 << 20
#: Entries of a folder, and folders in one another.
_MOST_FILES, _DEEPEST = 5_000_000, 200
#: Begins the name of a copy until it is complete.
_PREFIX = ".tea-import-"


@dataclass(kw_only=True)
class DropFolder:
    """One folder, and where its files go.

    The files stay in the folder.  What was copied is remembered by size and time in a file, so that a
    start does not read them again; without that file all are compared with the dataset once more.
    """

    source: Path
    worktree: Path
    #: A folder of the dataset.
    destination: str
    #: File that remembers what was copied.
    state: Path
    _taken: dict[str, Fingerprint] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not self.source.is_dir():
            raise UsageError(f"--import {self.source}: there is no such folder")
        top = self.worktree.resolve()
        if self.source.is_relative_to(top) or top.is_relative_to(self.source):
            raise UsageError(
                f"--import {self.source}: this folder and the dataset are in one another",
                hint="name a folder beside the dataset",
            )
        parts = self.destination.split("/")
        if ".." in parts or self.destination.startswith("/") or reserved_part(self.destination):
            raise UsageError(
                f"--import {self.source}:{self.destination}: this cannot be a folder of data",
                hint="name a folder of the dataset, such as raw",
            )
        with contextlib.suppress(OSError, ValueError, TypeError):
            if self.state.stat().st_size <= _LARGEST_STATE:
                known = json.loads(self.state.read_bytes())
                self._taken = {path: Fingerprint(*facts) for path, facts in known.items()}

    def new_files(self) -> dict[str, Fingerprint]:
        """Files, relative to the folder, that were not copied as they are now.

        Temporary and hidden names, links and files that would steer other programs are left out.

        :raises OutsideError: when the folder cannot be read.
        """
        found = {entry.path: Fingerprint.of(entry.stat) for entry in self._files()}
        self._taken = {path: facts for path, facts in self._taken.items() if path in found}
        return {path: facts for path, facts in found.items() if self._taken.get(path) != facts}

    def take(self, paths: Sequence[str]) -> list[str]:
        """Copy files into the dataset; returns their paths there.

        A file that changes meanwhile is left for the next time.  The state is written once.

        :raises OutsideError: when the dataset cannot be written.
        """
        copied, wanted = [], set(paths)
        for entry in self._files():
            if entry.path not in wanted:
                continue
            at = f"{self.destination}/{entry.path}" if self.destination else entry.path
            facts = self._copy(entry, self.worktree / at)
            if facts is not None:
                self._taken[entry.path] = facts
                copied.append(at)
        self._write_state()
        return copied

    def _files(self) -> Iterator[DirectoryEntry]:
        """The files that count.  No link is followed, also if one takes the place of a folder."""
        if not self.source.is_dir():
            raise OutsideError(f"{self.source}: there is no such folder any more")
        walked = walk(
            self.source,
            max_entries=_MOST_FILES,
            max_depth=_DEEPEST,
            on_error=lambda error: self._tell(
                os.fsdecode(error.filename or "."), f"cannot be read: {error.strerror or error}"
            ),
        )
        try:
            for entry in walked:
                parts = entry.path.split("/")
                if any(is_temporary(part) or part.startswith(".") for part in parts):
                    continue
                if reserved_part(entry.path):
                    self._tell(entry.path, "has a name that steers other programs; it is left out")
                elif stat.S_ISREG(entry.stat.st_mode):
                    yield entry
                elif not entry.is_directory:
                    self._tell(entry.path, "is no file; it is left out")
        except TooManyEntries as error:
            raise OutsideError(
                f"{self.source} has more than {_MOST_FILES:,} entries",
                hint="delete what was copied, or name a folder in it",
            ) from error
        except OSError as error:
            raise OutsideError(f"{self.source} cannot be read: {error}") from error

    def _copy(self, entry: DirectoryEntry, target: Path) -> Fingerprint | None:
        """Copy one file; None when it is gone or being written."""
        try:
            descriptor = open_file(entry)
        except OSError as error:
            self._tell(entry.path, f"cannot be read: {error.strerror or error}")
            return None
        with os.fdopen(descriptor, "rb") as source:
            before = os.fstat(descriptor)
            try:
                folder = self._folder(target)
                with tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX, delete=False) as copy:
                    new = Path(copy.name)
                    shutil.copyfileobj(source, copy, 1 << 20)
            except OSError as error:
                raise OutsideError(f"{target}: cannot be written: {error.strerror}") from error
            try:
                if Fingerprint.of(os.fstat(descriptor)) != Fingerprint.of(before):
                    return None
                new.chmod(0o755 if before.st_mode & 0o100 else 0o644)
                new.replace(target)
            except OSError as error:
                raise OutsideError(f"{target}: cannot be written: {error.strerror}") from error
            finally:
                new.unlink(missing_ok=True)
        return Fingerprint.of(before)

    def _folder(self, target: Path) -> Path:
        """The folder of a file in the dataset, made if it is not there.

        :raises OutsideError: when links lead it out of the dataset.
        """
        folder = target.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self.worktree.resolve()):
            raise OutsideError(f"{folder} leads out of the dataset; nothing is copied there")
        return folder

    def _write_state(self) -> None:
        self.state.parent.mkdir(parents=True, exist_ok=True)
        new = self.state.with_name(self.state.name + ".new")
        new.write_text(json.dumps(self._taken))
        os.replace(new, self.state)

    def _tell(self, path: str, problem: str) -> None:
        if path not in self._told:
            self._told.add(path)
            log.warning("%s/%s %s", self.source, path, problem)


def is_abandoned_copy(path: str) -> bool:
    """Whether a file of the dataset is a copy that a killed process did not finish."""
    return path.rpartition("/")[2].startswith(_PREFIX)
