"""Files among the inputs of datums that cannot be inputs as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.view import Source
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.follow_links import LinkedFolder
from tea_runner.flow.prefetch_facts import prefetch_facts
from tea_runner.flow.unusable_files import Unusable, UnusableFilesError


def unusable_files_of(
    tip: CommitReader, datums: Sequence[Datum], sources: Sequence[Source]
) -> list[Unusable]:
    """All files of these datums that cannot be inputs."""
    found: dict[str, Unusable] = {}
    for number, path in _files_of(tip, datums, sources):
        try:
            sources[number].fact(path)
        except LinkedFolder:
            continue
        except UnusableFilesError as error:
            found.update((file.full_path, file) for file in error.files)
    return list(found.values())


def linked_folders_of(
    tip: CommitReader, datums: Sequence[Datum], sources: Sequence[Source]
) -> Iterator[tuple[int, str]]:
    """All files of these datums that are links to folders."""
    for number, path in dict.fromkeys(_files_of(tip, datums, sources)):
        try:
            sources[number].fact(path)
        except LinkedFolder:
            yield number, path
        except UnusableFilesError:
            continue


def _files_of(
    tip: CommitReader, datums: Sequence[Datum], sources: Sequence[Source]
) -> Iterator[tuple[int, str]]:
    for datum in prefetch_facts(tip, datums, sources):
        for number, _, path, is_dir, *_ in datum:
            for each in sources[number].listing.files_below(path) if is_dir else (path,):
                yield number, each
