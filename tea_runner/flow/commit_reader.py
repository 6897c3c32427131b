"""One commit as planning reads it: its tree, its pipelines, facts about its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tea_runner.core.datums.file_fact import FileFact, LinkedFile
from tea_runner.core.datums.view import Located
from tea_runner.core.errors import UserError
from tea_runner.core.planning.input_trigger import PlanningTime
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.file_identities import FileFacts
from tea_runner.flow.pipeline_set import PipelineSet
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_pipelines import read_pipelines
from tea_runner.ports import Objects, Subdatasets


@dataclass(frozen=True)
class CommitReader:
    """The three things that planning reads of one commit; each is read when it is first used."""

    tree: CommitTree
    read: Callable[[CommitTree], PipelineSet] = read_pipelines
    _subdatasets: dict[str, CommitReader] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def pipelines(self) -> PipelineSet:
        """The pipelines that its pipeline files define."""
        return self.read(self.tree)

    @cached_property
    def files(self) -> FileFacts:
        """Facts about its files."""
        return FileFacts(self.tree)

    def fact(self, path: str) -> FileFact:
        """The facts about a file of the dataset, or of a subdataset below it.

        :raises UserError: when there is none, or it cannot be an input; the message says why.
        :raises LinkedFolder: when a link leads to a folder.
        """
        at, rest = self.resolve(path)
        return at.files.fact(rest)

    def locate(self, path: str) -> Located:
        """The content of a file of the dataset, or of a subdataset below it.

        :raises UserError: as :meth:`fact` does; also where a link cannot be followed.
        """
        at, rest = self.resolve(path)
        fact = at.files.fact(rest)
        if not isinstance(fact, LinkedFile):
            return Located(fact, at.tree.path, path)
        if fact.problem:
            raise UserError(fact.problem)
        return Located(fact, fact.dataset, fact.path)

    def view_of(self, tree: CommitTree) -> CommitReader:
        """The view of the dataset's tree, or of that of a subdataset."""
        if tree is self.tree:
            return self
        return self._subdatasets.setdefault(tree.path, CommitReader(tree))

    def resolve(self, path: str) -> tuple[CommitReader, str]:
        """The innermost dataset that holds *path*, and the path in that dataset."""
        tree, rest = self.tree.resolve(path)
        return self.view_of(tree), rest


def open_commit(
    objects: Objects,
    commit: str,
    cache: PlanningCache,
    *,
    subdatasets: Subdatasets | None = None,
    pins: Mapping[str, str] | None = None,
    book: TickBook | None = None,
    time: PlanningTime | None = None,
) -> CommitReader:
    """The view of a commit of the dataset that is planned.

    :param pins: commits that replace the pins of some subdatasets, by path.
    :param book: ticks, values of variables and states of triggers that no manifest has.
    :param time: at which it is planned; without one no trigger holds anything back.
    :raises OutsideError: when the commit is not in the repository.
    """
    tree = CommitTree(
        objects, commit, cache, subdatasets=subdatasets, pins=pins, book=book, time=time
    )
    return CommitReader(tree)
