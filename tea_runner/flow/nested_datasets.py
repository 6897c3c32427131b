"""Subdatasets inside of an input: their files belong to it, as if they were folders.

Each is read at its pin, from its own repository, and only where the glob of the input can match it or
something in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tea_runner.core.errors import Refused, TeaError, UserError
from tea_runner.core.git.tree import LINK, SUBMODULE, walk_tree
from tea_runner.flow.commit_reader import CommitReader

#: A file with which git keeps an empty folder.
KEEP = ".gitkeep"
_HOUSEKEEPING = frozenset({".gitattributes", ".gitignore", ".gitmodules"})
#: Subdatasets that an error names.
_NAMES = 10
#: Most subdatasets of one input, and most of them in one another.  A commit of a repository can pin a
#: former one of the same repository at any number of paths.
_MOST, _DEEPEST = 20_000, 32


@dataclass
class FoundFiles:
    """Files below a folder, and the subdatasets that some of them are in."""

    files: list[str] = field(default_factory=list)
    #: Paths of subdatasets below the same folder.
    inner: list[str] = field(default_factory=list)
    #: Those of the files that are symlinks, annexed files among them, and that may lead to folders.
    links: list[str] = field(default_factory=list)


def is_housekeeping(path: str) -> bool:
    """Whether this is a file of git itself, which is no input.

    ``.gitkeep`` directly in the directory of the input is there to keep it.

    :param path: below the directory of the input.
    """
    return path.rpartition("/")[2] in _HOUSEKEEPING or path == KEEP


def left_out(view: CommitReader, prefix: str) -> tuple[str, ...]:
    """Prefixes of paths below a folder of a subdataset that are no data: homes of its pipelines."""
    base = prefix + "/" if prefix else ""
    homes = [p.home for p in view.pipelines.written if p.home not in ("", prefix)]
    skip = [f"{home[len(base) :]}/" for home in homes if home.startswith(base)]
    return (*skip, ".datalad/") if not prefix else tuple(skip)


class NestedDatasets:
    """Collects files of a folder with those of the subdatasets in it.

    :param reaches: whether files below a path, relative to that folder, are of interest.
    :param wants: whether a file is, for code; without it, all data files are.
    :param opens: whether files below a path are, if that is a link to a folder.
    """

    def __init__(
        self,
        reaches: Callable[[str], bool],
        wants: Callable[[str], bool] | None = None,
        opens: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.reaches = reaches
        self.wants = wants
        self.opens = opens
        self._errors: dict[str, TeaError] = {}
        self._depth = 0
        self.found = FoundFiles()

    def collect(
        self, view: CommitReader, tree: str, prefix: str, skip: tuple[str, ...], at: str = ""
    ) -> None:
        """Add the files below a tree of one dataset.

        :param prefix: path of the tree in its dataset.
        :param skip: prefixes of paths below it that are left out.
        :param at: where it is below the folder.
        """
        base = at + "/" if at else ""
        for path, entry in walk_tree(view.tree.objects.tree, tree):
            if path.startswith(skip):
                continue
            if entry.mode != SUBMODULE:
                wanted = self.wants(base + path) if self.wants else not is_housekeeping(base + path)
                if wanted:
                    self.found.files.append(base + path)
                if entry.mode == LINK and self.opens(base + path):
                    self.found.links.append(base + path)
            elif self.reaches(base + path):
                self.add(view, f"{prefix}/{path}" if prefix else path, base + path)

    def add(self, view: CommitReader, path: str, at: str) -> None:
        """Add the files of one subdataset, or note why it may not or cannot be read.

        :param path: in the dataset *view*.
        :param at: where it is below the folder.
        :raises OutsideError: when its repository does not answer.
        :raises Refused: when there are too many.
        """
        try:
            inside = view.resolve(path)[0]
        except UserError as error:
            self._errors[at] = error
            return
        self.found.inner.append(at)
        self._depth += 1
        if len(self.found.inner) > _MOST or self._depth > _DEEPEST:
            raise Refused(
                f"an input has more than {_MOST} subdatasets, or more than {_DEEPEST} in one "
                f"another, at {at[:60]}…",
                hint="use a narrower glob",
            )
        skip = left_out(inside, "") if self.wants is None else (".datalad/", ".git")
        self.collect(inside, inside.tree.root, "", skip, at)
        self._depth -= 1

    def require_all(self, where: str) -> None:
        """Check that every subdataset could be read: none is left out in silence.

        :param where: the folder, for the message.
        :raises UserError: when some could not.
        """
        if not self._errors:
            return
        first = next(iter(self._errors.values()))
        if len(self._errors) == 1:
            raise first
        names = [f"{where}/{at}" if where else at for at in self._errors]
        rest = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        raise UserError(
            f"{len(names)} subdatasets cannot be read, for example: {first.problem}",
            hint=f"{first.hint + '; ' if first.hint else ''}all of them: "
            f"{' '.join(names[:_NAMES])}{rest}",
        )
