"""Reading of facts about the files of many datums in batches, ahead of their use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.view import Source
from tea_runner.core.git.tree import TreeEntry
from tea_runner.flow.commit_view import CommitView

#: Files in one batch.
_FILES = 2000


@dataclass
class _FactBatch:
    """Some datums, and their files by the path of the dataset that they are in."""

    datums: list[Datum] = field(default_factory=list)
    files: dict[str, list[TreeEntry]] = field(default_factory=dict)


def prefetch_facts(
    tip: CommitView, datums: Iterable[Datum], sources: Sequence[Source]
) -> Iterator[Datum]:
    """Yield the datums in their order, each after the facts about its files are cached.

    While the caller uses one batch, git reads the files of the next.
    """
    views = {source.dataset: tip.resolve(source.dataset)[0] for source in sources}
    ready, unknown = _FactBatch(), dict[str, list[TreeEntry]]()
    for batch in chain(_batches(views, datums, sources), [_FactBatch()]):
        for name, files in unknown.items():
            views[name].files.load_facts(files)
        unknown = {
            name: views[name].files.without_facts(files) for name, files in batch.files.items()
        }
        for name, files in unknown.items():
            views[name].tree.objects.prefetch_blobs(oid for _, oid in files)
        yield from ready.datums
        ready = batch


def _batches(
    views: Mapping[str, CommitView], datums: Iterable[Datum], sources: Sequence[Source]
) -> Iterator[_FactBatch]:
    reads = [views[source.dataset].tree.reader() for source in sources]
    inner = [source.inner_path("x")[:-1] for source in sources]
    batch, count = _FactBatch(), 0
    lists = [batch.files.setdefault(source.dataset, []) for source in sources]
    for datum in datums:
        batch.datums.append(datum)
        for number, _, path, is_dir, *_ in datum:
            below = sources[number].listing.files_below(path) if is_dir else (path,)
            for each in below:
                entry = reads[number](inner[number] + each)
                if entry is not None:
                    lists[number].append(entry)
            count += len(below)
        if count >= _FILES:
            yield batch
            batch, count = _FactBatch(), 0
            lists = [batch.files.setdefault(source.dataset, []) for source in sources]
    yield batch
