"""Links to folders among the files of an input or of code: their files are there under the link's path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tea_runner.core.datums.file_fact import InputLinks, LinkedFile
from tea_runner.core.errors import Refused, UserError
from tea_runner.core.git.tree import LINK, TREE
from tea_runner.core.results import manifest_statement, manifest_text
from tea_runner.core.results.output_owners import join
from tea_runner.core.spec.pipeline_file_names import SPEC_NAMES
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.follow_links import Followed, within
from tea_runner.flow.nested_datasets import NestedDatasets, left_out

#: Most files of one input, or of code, in folders that links lead to.  Links can multiply folders.
_MOST = 100_000
#: Links that are read at once.
_BATCH = 1000


class LinkedFoldersError(UserError):
    """Files of datums are links to folders, so that the listing has to be made anew."""

    def __init__(self, paths: Iterable[tuple[int, str]]) -> None:
        super().__init__("links lead to folders")
        #: Number of the input, and path in its listing.
        self.paths = tuple(paths)


@dataclass(kw_only=True)
class LinkedFolders:
    """Replaces links to folders by the files there."""

    tip: CommitReader
    #: Of the listing, in the dataset of *tip*.
    prefix: str
    #: Where links to folders are noted.
    links: InputLinks
    #: See :class:`~tea_runner.flow.nested_datasets.NestedDatasets`.
    reaches: Callable[[str], bool] = lambda _: True
    wants: Callable[[str], bool] | None = None
    _added: list[str] = field(default_factory=list)

    def expand(self, files: list[str], paths: Iterable[str]) -> list[str]:
        """The files of a listing, with those of the folders that some of its paths lead to.

        :param paths: links of the listing, of which many may be annexed files.
        :raises Refused: when there are too many files.
        :raises UserError: when a subdataset may not or cannot be read.
        """
        todo = list(paths)
        while todo:
            some, todo = todo[-_BATCH:], todo[:-_BATCH]
            self._prefetch(some)
            for path in some:
                todo += self._look(path)
        added, self._added = self._added, []
        if not self.links.folders:
            return files
        return [file for file in (*files, *added) if file not in self.links.folders]

    def _prefetch(self, paths: Sequence[str]) -> None:
        """Read the targets of links in one batch."""
        files, read = self.tip.files, self.tip.tree.reader()
        entries = filter(None, (read(join(self.prefix, path)) for path in paths))
        files.load_facts(files.without_facts(each for each in entries if each.mode == LINK))

    def _look(self, path: str) -> list[str]:
        """Add the files of the folder that a path leads to, if it does; returns the links among them."""
        found = self.tip.files.follow(join(self.prefix, path))
        if found is None or not found.through:
            return []
        if found.problem or found.entry.mode != TREE:
            self.links.no_folders[path] = found.through
            return []
        if any(within(link, found.full_path) for link in found.through[:-1]):
            problem = (
                f"{found.through[0]} is a link to the folder {found.full_path or '.'} that it "
                "is in: it goes round in a circle"
            )
            self.links.refused[path] = LinkedFile.broken(problem, found.through)
            return []
        self.links.folders[path] = (found.full_path, found.entry.oid)
        self.links.ways_to_folders.append(found.through)
        return self._add(found, path)

    def _add(self, found: Followed, path: str) -> list[str]:
        """Add the files of one folder; returns the links among them."""
        view = self.tip.view_of(found.tree)
        skip = left_out(view, found.path)
        if any(each.home == found.path for each in view.pipelines.written):
            skip += (manifest_text.NAME, f"{manifest_text.DIRECTORY}/", *SPEC_NAMES)
            skip += (f"{manifest_statement.DIRECTORY}/",)
        nested = NestedDatasets(self.reaches, self.wants, lambda _: True)
        nested.collect(view, found.entry.oid, found.path, skip, path)
        nested.require_all(found.full_path)
        self._added += nested.found.files
        if len(self._added) > _MOST or len(self.links.folders) > _MOST // 10:
            raise Refused(
                f"links to folders make more than {_MOST} files of an input, at {path[:60]}…",
                hint="let the links lead to smaller folders, or use a narrower glob",
            )
        return nested.found.links
