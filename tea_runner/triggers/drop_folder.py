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
from tea_runner.triggers.settled_files import Fingerprint, is_temporary

log = logging.getLogger(__name__)

#: Bytes of a list of imported files that is believed; a longer one is made anew.
_LARGEST_STATE = 256 << 20
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
        found = dict(self._walk(""))
        self._taken = {path: facts for path, facts in self._taken.items() if path in found}
        return {path: facts for path, facts in found.items() if self._taken.get(path) != facts}

    def take(self, paths: Sequence[str]) -> list[str]:
        """Copy files into the dataset; returns their paths there.

        A file that changes meanwhile is left for the next time.  The state is written once.

        :raises OutsideError: when the dataset cannot be written.
        """
        copied = []
        for path in paths:
            at = f"{self.destination}/{path}" if self.destination else path
            facts = self._copy(path, self.worktree / at)
            if facts is not None:
                self._taken[path] = facts
                copied.append(at)
        self._write_state()
        return copied

    def _walk(self, below: str) -> Iterator[tuple[str, Fingerprint]]:
        try:
            entries = sorted(os.scandir(self.source / below), key=lambda entry: entry.name)
        except FileNotFoundError as error:
            if below:
                return
            raise OutsideError(f"{self.source}: there is no such folder any more") from error
        except OSError as error:
            self._tell(below or ".", f"cannot be read: {error.strerror}")
            return
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if is_temporary(entry.name) or entry.name.startswith("."):
                continue
            if reserved_part(entry.name):
                self._tell(path, "has a name that steers other programs; it is left out")
                continue
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(facts.st_mode):
                yield from self._walk(path)
            elif stat.S_ISREG(facts.st_mode):
                yield path, Fingerprint.of(facts)
            else:
                self._tell(path, "is no file; it is left out")

    def _copy(self, path: str, target: Path) -> Fingerprint | None:
        """Copy one file; None when it is gone or being written."""
        try:
            descriptor = os.open(self.source / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            self._tell(path, f"cannot be read: {error.strerror}")
            return None
        with os.fdopen(descriptor, "rb") as source:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            try:
                folder = self._folder(target)
                with tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX, delete=False) as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                if Fingerprint.of(os.fstat(descriptor)) != Fingerprint.of(before):
                    os.unlink(copy.name)
                    return None
                os.chmod(copy.name, 0o755 if before.st_mode & 0o100 else 0o644)
                os.replace(copy.name, target)
            except OSError as error:
                with contextlib.suppress(OSError, UnboundLocalError):
                    os.unlink(copy.name)
                raise OutsideError(f"{target}: cannot be written: {error.strerror}") from error
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
