"""The tree of one commit and of the subdatasets it pins, read from git objects alone.

There is no checkout, no content and no git-annex here: only trees, and blobs small enough to be annex
pointers, pipeline files or settings.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from tea_runner.core.errors import OutsideError, Refused, UserError
from tea_runner.core.git.config_text import parse_config
from tea_runner.core.git.submodules import Submodule, parse_gitmodules
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, TreeEntry, lookup, walk_tree
from tea_runner.core.planning.input_trigger import PlanningTime
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.ports import Objects, Subdataset, Subdatasets

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Most results commits that one push can cause, one for each pipeline.
_MAX_RESULTS_COMMITS = 1000


class CommitTree:
    """The tree of one commit of a dataset."""

    def __init__(
        self,
        objects: Objects,
        commit: str,
        cache: PlanningCache,
        *,
        subdatasets: Subdatasets | None = None,
        pins: Mapping[str, str] | None = None,
        book: TickBook | None = None,
        time: PlanningTime | None = None,
        path: str = "",
        repository: Subdataset | None = None,
    ) -> None:
        """The tree of *commit*.

        :param cache: what is remembered of the same repository between commits.
        :param pins: commits that replace the pins of some subdatasets, by path.
        :param book: ticks, values of variables and states of triggers that no manifest has.
        :param time: at which it is planned; without one no trigger holds anything back.
        :param path: where this dataset lies in the one that is planned; empty for that one.
        :param repository: the subdataset to fetch from; None for the dataset that is planned.
        :raises OutsideError: when the commit is not in the repository.
        """
        self.objects = objects
        self.commit = commit
        self.cache = cache
        self.subdatasets = subdatasets
        self.pins = dict(pins or {})
        #: By names of the pipeline and of its input.
        self.ticks = book.pending if book is not None else {}
        #: By name of the pipeline.
        self.variables = book.variables if book is not None else {}
        #: By names of the pipeline and of its input.
        self.triggers = book.inputs if book is not None else {}
        self.time = time
        self.path = path
        self.repository = repository
        #: Id of the root tree.
        self.root = objects.commit(commit).tree
        self._opened: dict[str, CommitTree] = {}

    def entry(self, path: str) -> TreeEntry | None:
        """The entry at a path; None where there is none."""
        found = lookup(self.objects.tree, self.root, path)
        if found is not None and found.mode == SUBMODULE and path in self.pins:
            return TreeEntry(SUBMODULE, self.pins[path])
        return found

    def reader(self) -> Callable[[str], TreeEntry | None]:
        """A function like :meth:`entry` that is fast for paths sorted by directory."""
        last: str | None = None
        entries: Mapping[str, TreeEntry] = {}

        def entry(path: str) -> TreeEntry | None:
            nonlocal last, entries
            directory, _, name = path.rpartition("/")
            if directory != last:
                found = self.entry(directory)
                is_tree = found is not None and found.mode == TREE
                entries = self.objects.tree(found.oid) if found and is_tree else {}
                last = directory
            return entries.get(name)

        return entry

    def files_below(self, path: str) -> Iterator[str]:
        """Paths of all files below a directory."""
        entry = self.entry(path)
        if entry is not None and entry.mode == TREE:
            yield from (found for found, _ in walk_tree(self.objects.tree, entry.oid, path + "/"))

    def blob_at(self, path: str) -> bytes | None:
        """The content of a small file that is kept in git; None where there is no such file."""
        entry = self.entry(path)
        if entry is None or entry.mode in (TREE, LINK, SUBMODULE):
            return None
        return self.objects.blob(entry.oid)

    @cached_property
    def dataset_id(self) -> str:
        """``datalad.dataset.id`` of ``.datalad/config``; empty where it is not set."""
        found = ""
        for section, subsection, name, value in parse_config(
            self.blob_at(".datalad/config") or b""
        ):
            if (section, subsection, name) == ("datalad", "dataset", "id"):
                found = value
        return found

    @cached_property
    def origin(self) -> str:
        """The pushed commit that this results commit follows from; else the commit itself.

        The trailer ``Tea-Input`` counts only if a chain of results commits of the same push leads to
        the commit that it names: anyone can write such a line, or keep one in an amended commit.
        """
        facts = self.objects.commit(self.commit)
        claimed = parse_trailers(facts.message).get("Tea-Input", "")
        origins = self.cache.origins
        with contextlib.suppress(OutsideError, Refused):
            for _ in range(_MAX_RESULTS_COMMITS if _COMMIT.fullmatch(claimed) else 0):
                if not facts.parents or parse_trailers(facts.message).get("Tea-Input") != claimed:
                    break
                parent = facts.parents[0]
                if claimed in (parent, origins.get(parent)):
                    origins.put(self.commit, claimed)
                    return claimed
                facts = self.objects.commit(parent)
        return self.commit

    # -- subdatasets -------------------------------------------------------------------------

    @cached_property
    def submodules(self) -> dict[str, Submodule]:
        """The subdatasets listed in ``.gitmodules``, by path."""
        data = self.blob_at(".gitmodules")
        return parse_gitmodules(data, self.blob_at(".datalad/config") or b"") if data else {}

    def subdataset_called(self, name: str) -> str:
        """Path of the first subdataset whose repository has a name; empty where there is none."""
        if self.subdatasets is not None:
            for path, submodule in self.submodules.items():
                try:
                    repository = self.subdatasets.name(submodule)
                except UserError:
                    continue
                if name in (repository, repository.rpartition("/")[2]):
                    return path
        return ""

    def subdataset(self, path: str) -> CommitTree:
        """The tree of the subdataset at *path*, at the commit that is pinned.

        :raises UserError: when ``.gitmodules`` does not list it, or it may not be used.
        :raises OutsideError: when its repository does not answer or lacks the commit.
        """
        if path not in self._opened:
            entry, submodule = self.entry(path), self.submodules.get(path)
            if entry is None or submodule is None or self.subdatasets is None:
                raise UserError(f"{path} is a subdataset that .gitmodules does not list")
            dataset = self.subdatasets.dataset(submodule, entry.oid)
            self._opened[path] = CommitTree(
                dataset.objects,
                entry.oid,
                self.cache.of_subdataset(self.subdatasets.name(submodule)),
                subdatasets=dataset.subdatasets,
                path=f"{self.path}/{path}" if self.path else path,
                repository=dataset,
            )
        return self._opened[path]

    def resolve(self, path: str) -> tuple[CommitTree, str]:
        """The innermost dataset that holds *path*, and the path in that dataset."""
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            front = "/".join(parts[:count])
            entry = self.entry(front)
            if entry is None:
                break
            if entry.mode == SUBMODULE:
                return self.subdataset(front).resolve("/".join(parts[count:]))
        return self, path
