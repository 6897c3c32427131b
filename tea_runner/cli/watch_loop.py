"""The loop of ``tea-runner watch``: wait for files, copy, save, run or push, and wait again."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.core.errors import TeaError
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.dataset.datalad_save import save_files
from tea_runner.dataset.unsaved_files import unsaved_files
from tea_runner.flow.nested_datasets import left_out
from tea_runner.host import process
from tea_runner.present.visible_text import visible
from tea_runner.triggers.drop_folder import DropFolder, is_abandoned_copy
from tea_runner.triggers.file_events import FileEvents
from tea_runner.triggers.settled_files import (
    Fingerprint,
    SettledFiles,
    fingerprint,
    is_temporary,
)

#: Seconds after which folders are looked at although nothing was announced.
RESCAN = 60.0
#: Seconds to wait after an error before the next try; doubled each time, up to :data:`RESCAN`.
_FIRST_WAIT = 2.0
#: Files that a line names.
_NAMED = 3
#: Name of the variable that tells the hooks of ``watch install`` that a watch runs the pipelines.
WATCHING = "TEA_WATCHING"


@dataclass(kw_only=True)
class WatchLoop:
    """Watches one dataset."""

    context: Context
    drops: Sequence[DropFolder]
    #: Seconds for which a file must not change.
    quiet: float
    #: What follows a save: the arguments of a program; empty for nothing.
    follow: Sequence[str]
    _events: FileEvents | None = None
    _settled: SettledFiles = field(init=False)
    _arrived: dict[Path, SettledFiles] = field(default_factory=dict)
    #: Whether what was saved is to be run or pushed still.
    _due: bool = True

    def __post_init__(self) -> None:
        self._settled = SettledFiles(self.quiet)

    def run(self, *, once: bool = False) -> None:
        """Watch until Ctrl-C.

        :param once: return when no file is left to wait for.
        """
        wait = _FIRST_WAIT
        try:
            while True:
                try:
                    busy = self._look()
                    wait = _FIRST_WAIT
                except TeaError as error:
                    # Such as git's lock, held by another program, or a storage that is away.
                    self._tell("failed", f"{error.message}; next try in {wait:g} s", error=True)
                    if once:
                        raise
                    time.sleep(wait)
                    wait = min(wait * 2, RESCAN)
                    continue
                if once and not busy:
                    return
                self._wait(self.quiet if busy else RESCAN)
        finally:
            if self._events is not None:
                self._events.close()

    def _look(self) -> bool:
        """Do what there is to do; returns whether files are still being written."""
        self._copy()
        session = open_dataset(self.context)
        folders = watched_folders(session)
        self._watch(session.clone.clone.worktree, folders)
        self._due |= self._save(session, folders)
        if self._due and self.follow:
            self._follow(session.clone.clone.worktree)
        self._due = False
        return self._settled.waiting or any(each.waiting for each in self._arrived.values())

    def _copy(self) -> None:
        for drop in self.drops:
            settled = self._arrived.setdefault(drop.source, SettledFiles(self.quiet))
            ready = settled.look(time.monotonic(), drop.new_files())
            taken = drop.take(ready) if ready else []
            if taken:
                settled.forget(ready)
                self._tell("copied", f"{_some(taken)} from {drop.source}", files=taken)

    def _save(self, session: OpenDataset, folders: Mapping[str, tuple[str, ...]]) -> bool:
        """Save the files that have settled; returns whether a commit was made."""
        repository = session.clone.clone
        worktree = repository.worktree
        found: dict[str, Fingerprint | None] = {}
        for path in unsaved_files(worktree, repository.environment.variables):
            if is_abandoned_copy(path):
                (worktree / path).unlink(missing_ok=True)
            elif is_data(path, folders) and not is_temporary(path.rpartition("/")[2]):
                found[path] = fingerprint(worktree / path)
        ready = self._settled.look(time.monotonic(), found)
        if not ready:
            return False
        message = f"Save {_some(ready)}\n"
        commit = save_files(repository, ready, message, self.context.site.author)
        self._settled.forget(ready)
        if commit:
            self._tell("saved", f"{_some(ready)} in {commit[:12]}", commit=commit, files=ready)
        return bool(commit)

    def _follow(self, worktree: Path) -> None:
        words = shlex.join(self.follow)
        env = {**self.context.variables, WATCHING: "1"}
        running = process.start_process(
            self.follow,
            env=env,
            cwd=worktree,
            stdout=sys.stdout.fileno(),
            stderr=sys.stderr.fileno(),
        )
        try:
            code = running.wait()
        finally:
            process.kill(running)
        if code:
            # What failed is told by the program itself; new files start it again.
            self._tell("ended", f"{words} ended with exit code {code}", error=True, code=code)

    def _watch(self, worktree: Path, folders: Mapping[str, tuple[str, ...]]) -> None:
        """Watch the folders that exist, and the drop folders."""
        places = [worktree / folder for folder in folders]
        wanted = [place for place in places if place.is_dir()]
        wanted += [drop.source for drop in self.drops]
        if self._events is None or self._events.folders != tuple(wanted):
            if self._events is not None:
                self._events.close()
            self._events = FileEvents(wanted)
            names = ", ".join(visible(folder) or "." for folder in folders) or "no folder"
            sources = "".join(f", {drop.source}" for drop in self.drops)
            self._tell("watching", f"{names}{sources} (Ctrl-C ends)", folders=list(folders))

    def _wait(self, seconds: float) -> None:
        assert self._events is not None
        self._events.wait(seconds)

    def _tell(self, event: str, text: str, *, error: bool = False, **facts: object) -> None:
        if self.context.as_json:
            click.echo(json.dumps({"event": event, "text": text, **facts}))
        elif error or not self.context.quiet:
            click.echo(f"{event}: {visible(text)}", err=error)


def watched_folders(session: OpenDataset) -> dict[str, tuple[str, ...]]:
    """The folders of data that inputs of pipelines name, each with prefixes of what is no data there."""
    try:
        tip = session.tip()
    except TeaError:
        return {}
    leaves = [leaf for pipeline in tip.pipelines for leaf in pfs_leaves(pipeline.input)]
    places = {leaf.place for leaf in leaves if tip.pipelines.source_of(leaf) is None}
    return {place: left_out(tip, place) for place in sorted(places)}


def is_data(path: str, folders: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a file is data in one of the folders."""
    for folder, skip in folders.items():
        base = folder + "/" if folder else ""
        if path.startswith(base) and not path.removeprefix(base).startswith(skip):
            return True
    return False


def _some(paths: Sequence[str]) -> str:
    """How many files, and the first of them."""
    named = ", ".join(paths[:_NAMED])
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{len(paths)} file{'s' if len(paths) != 1 else ''}: {named}{more}"
