"""Reading of facts about the files of many datums in batches, ahead of their use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    views = _Datasets(tip)
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


class _Datasets(dict[str, CommitView]):
    """The dataset and its subdatasets by path, each opened when it is first used."""

    def __init__(self, tip: CommitView) -> None:
        super().__init__()
        self._tip = tip

    def __missing__(self, path: str) -> CommitView:
        view = self[path] = self._tip.resolve(path)[0]
        return view


def _batches(
    views: _Datasets, datums: Iterable[Datum], sources: Sequence[Source]
) -> Iterator[_FactBatch]:
    reads = [views[source.dataset].tree.reader() for source in sources]
    bases = [source.inner_path("x")[:-1] for source in sources]
    nested = [_NestedReader(views, source) if source.inner else None for source in sources]
    batch, count = _FactBatch(), 0
    lists = [batch.files.setdefault(source.dataset, []) for source in sources]
    for datum in datums:
        batch.datums.append(datum)
        for number, _, path, is_dir, *_ in datum:
            below = sources[number].listing.files_below(path) if is_dir else (path,)
            inside = nested[number]
            for each in below:
                if inside is not None and inside.read(each, batch):
                    continue
                entry = reads[number](bases[number] + each)
                if entry is not None:
                    lists[number].append(entry)
            count += len(below)
        if count >= _FILES:
            yield batch
            batch, count = _FactBatch(), 0
            lists = [batch.files.setdefault(source.dataset, []) for source in sources]
    yield batch


class _NestedReader:
    """Reads entries of files in the subdatasets inside of an input."""

    def __init__(self, views: _Datasets, source: Source) -> None:
        self._views = views
        self._source = source
        self._reads: dict[str, Callable[[str], TreeEntry | None]] = {}

    def read(self, path: str, batch: _FactBatch) -> bool:
        """Add the entry of a file to its dataset's in the batch; False if it is in no subdataset."""
        inside = self._source.subdataset_of(path)
        if inside is None:
            return False
        dataset = self._source.path(inside)
        if dataset not in self._reads:
            self._reads[dataset] = self._views[dataset].tree.reader()
        entry = self._reads[dataset](path[len(inside) + 1 :])
        if entry is not None:
            batch.files.setdefault(dataset, []).append(entry)
        return True
