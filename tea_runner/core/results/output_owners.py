"""Owners of output paths: which datum wrote a path, and whether it collides with another file.

A path that two datums write, or that is the user's own file, is an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tea_runner.core.errors import OutputRefused
from tea_runner.core.git.tree import TREE, TreeEntry
from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.refused_outputs import repository_shaped
from tea_runner.core.results.reserved_names import is_code, is_reserved, reserved_part


def join(home: str, path: str) -> str:
    """The path in the dataset of a path below the pipeline's home, which may be empty."""
    return f"{home}/{path}" if home else path


def owners(outputs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each output path with the label of the datum that owns it.

    :param outputs: pairs (path below the home, label).
    :raises OutputRefused: when two datums claim one path, or a name is reserved.
    """
    found: dict[str, str] = {}
    #: Directories to whether a part of their path is reserved.
    reserved: dict[str, bool] = {}
    for path, label in outputs:
        directory, _, name = path.rpartition("/")
        if directory not in reserved:
            reserved[directory] = bool(reserved_part(directory))
        if reserved[directory] or is_reserved(name):
            raise _special(label, path)
        other = found.setdefault(path, label)
        if other != label:
            raise _two_owners(path, other, label)
    directories = directory_owners(found)
    for path, label in found.items():
        if path in directories:
            raise _file_and_directory(path, label, directories[path])
    return found


def parents_of(path: str) -> Iterator[str]:
    """The directories above a relative path, from the inside outwards."""
    while path := path.rpartition("/")[0]:
        yield path


def directory_owners(owners: Mapping[str, str]) -> dict[str, str]:
    """Each directory that contains outputs, with the label of the first datum that wrote into it."""
    directories: dict[str, str] = {}
    for path, label in owners.items():
        for directory in parents_of(path):
            if directory in directories:
                break
            directories[directory] = label
    return directories


@dataclass(frozen=True, kw_only=True)
class CollisionCheck:
    """Compares new output paths with the files in the tree that remain.

    :param home: the pipeline's home; all paths are relative to it unless stated otherwise.
    :param before: the manifest at the tip.
    :param changing: labels of the datums that are removed or whose outputs are replaced.
    :param replaced: output paths of those datums, which do not remain.
    :param entry: the tree entry at a path of the dataset.
    :param files_below: paths of all files in a directory of the dataset.
    """

    home: str
    before: Manifest
    changing: Collection[str]
    replaced: Collection[str]
    entry: Callable[[str], TreeEntry | None]
    files_below: Callable[[str], Iterable[str]]

    def check(self, owners: Mapping[str, str]) -> None:
        """Raise :class:`OutputRefused` if an output, or a directory above it, collides with a file.

        Also if outputs, with what is there already, make a directory that git takes for a repository.
        """
        repository = repository_shaped(
            owners,
            lambda path: (
                path not in self.replaced and self.entry(join(self.home, path)) is not None
            ),
        )
        if repository is not None:
            raise OutputRefused(
                f"{join(self.home, repository)} looks like a git repository, whose configuration git "
                f"would use",
                hint="let the command write other names",
            )
        code = next(filter(is_code, owners), None) if not self.home else None
        if code is not None:
            raise _special(owners[code], code)
        start = len(self.home) + 1 if self.home else 0
        for path, label in owners.items():
            entry = self.entry(join(self.home, path))
            if entry is None or path in self.replaced:
                continue
            files = [path]
            if entry.mode == TREE:
                files = [file[start:] for file in self.files_below(join(self.home, path))]
            for file in files:
                if file not in self.replaced:
                    raise self._collision(path, label, file)
        for path, label in directory_owners(owners).items():
            entry = self.entry(join(self.home, path))
            if entry is not None and entry.mode != TREE and path not in self.replaced:
                output = next(each for each in owners if each.startswith(path + "/"))
                raise self._collision(output, label, path)

    def _collision(self, path: str, label: str, file: str) -> OutputRefused:
        """The error for output *path* of datum *label*, which collides with the remaining *file*."""
        for row in self.before.rows:
            if row.datum not in self.changing and file in row.paths:
                if file == path:
                    return _two_owners(path, row.datum, label)
                if file.startswith(path + "/"):
                    return _file_and_directory(path, label, row.datum)
                return _file_and_directory(file, row.datum, label)
        full = join(self.home, file)
        own = "which is a file of yours" if file == path else f"but {full} is a file of yours"
        return OutputRefused(
            f"datum {label} wrote {join(self.home, path)}, {own}",
            hint="move your file, or let the command write another name",
        )


def _special(label: str, path: str) -> OutputRefused:
    return OutputRefused(
        f"datum {label} wrote {path}, which has a special meaning for tea-runner, git or a forge",
        hint="let the command write another name",
    )


def _two_owners(path: str, one: str, other: str) -> OutputRefused:
    return OutputRefused(
        f"two datums wrote {path}: {one} and {other}",
        hint="let each write a name of its own, or set output.path",
    )


def _file_and_directory(path: str, file: str, directory: str) -> OutputRefused:
    return OutputRefused(
        f"{path} is a file of datum {file} and a directory of datum {directory}",
        hint="let one of them write another name",
    )
