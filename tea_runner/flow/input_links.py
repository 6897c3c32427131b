"""Links among the files of a pipeline's inputs: where they lead to, and whether they still do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.file_fact import InputLinks
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import Source
from tea_runner.core.errors import SpecError, UserError
from tea_runner.core.git.tree import TREE
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.follow_links import LinkedFolder
from tea_runner.flow.input_location import (
    InputLocation,
    join,
    linked_folders,
    list_files,
    make_source,
)
from tea_runner.flow.links_into_results import links_into_results
from tea_runner.flow.unusable_files import UnusableFilesError


def list_source(location: InputLocation) -> Source:
    """The files at a location, with those of linked folders that its glob names something in."""
    found, links = list_files(location), InputLinks()
    files = linked_folders(location, links).expand(found.files, found.links)
    return make_source(location, Listing(files), found.inner, links)


def with_folders(location: InputLocation, source: Source, paths: Iterable[str]) -> Source:
    """The source with the files of folders in place of links that lead to them."""
    files = linked_folders(location, source.links).expand(list(source.listing.files), paths)
    return make_source(location, Listing(files), source.inner, source.links)


def refuse_results(tip: CommitReader, pipeline: Pipeline, sources: Iterable[Source]) -> None:
    """Refuse a pipeline whose inputs have links to results that it does not wait for.

    :raises SpecError: naming the file and the other pipeline.
    """
    for source in sources:
        problem = links_into_results(tip, pipeline, source.links.ways) if source.links else ""
        if problem:
            raise SpecError(
                problem,
                file=pipeline.spec_path,
                line=pipeline.spec_line,
                key="input.pfs.repo",
            )


def broken_datums(
    datums: Sequence[Datum], keyed: Sequence[KeyedDatum], sources: Sequence[Source]
) -> dict[str, str]:
    """Keys of datums with links that cannot be followed, to the reason.

    Without such links the cost is that of looking at all links.
    """
    problems = {
        (number, above): problem
        for number, source in enumerate(sources)
        # Of several, the first path counts.
        for path, problem in sorted(source.links.problems.items(), reverse=True)
        for above in _with_parents(path)
    }
    if not problems:
        return {}
    found = dict[str, str]()
    for datum, item in zip(datums, keyed, strict=True):
        for entry in datum:
            problem = problems.get((entry.input, entry.path))
            if problem:
                found.setdefault(item.key, problem)
    return found


def _with_parents(path: str) -> Iterable[str]:
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def moved_links(location: InputLocation, source: Source) -> set[str] | None:
    """Paths of an input's links that lead to something else now; None if folders are among them.

    :param location: where the input is now.
    :param source: the input as it was.
    """
    links = source.links
    if links.refused:
        return None
    follow = location.tip.files.follow
    for path, before in links.folders.items():
        found = follow(join(location.prefix, path))
        if found is None or found.problem or (found.full_path, found.entry.oid) != before:
            return None
    for path in links.no_folders:
        found = follow(join(location.prefix, path))
        if found is not None and found.through and not found.problem and found.entry.mode == TREE:
            return None
    now = make_source(location, source.listing, source.inner)
    moved = set()
    for path, file in links.files.items():
        try:
            if not file.is_same(now.fact(path)):
                moved.add(path)
        except (LinkedFolder, UnusableFilesError):
            return None
        except UserError:  # It is no longer there.
            continue
    return moved


def kept_links(source: Source, changed: Iterable[str]) -> InputLinks:
    """What is known of the links of an input but for files that changed."""
    files = dict(source.links.files)
    for path in changed:
        files.pop(path, None)
    links = source.links
    return replace(links, files=files, refused={})
