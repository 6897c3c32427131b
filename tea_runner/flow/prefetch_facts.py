"""Reading of facts about the files of many datums in batches, ahead of their use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.view import Source
from tea_runner.core.git.tree import LINK, TreeEntry
from tea_runner.flow.commit_reader import CommitReader

#: Files in one batch.
_FILES = 2000


@dataclass
class _FactBatch:
    """Some datums, and their files by the path of the dataset that they are in."""

    datums: list[Datum] = field(default_factory=list)
    files: dict[str, list[TreeEntry]] = field(default_factory=dict)
    #: Paths and entries, in the same way, of symlinks (annexed files among them) and files behind some.
    links: dict[str, list[tuple[str, TreeEntry | None]]] = field(default_factory=dict)
    #: Datasets in which some of those are no annexed files.
    has_links: set[str] = field(default_factory=set)

    def add(self, dataset: str, path: str, entry: TreeEntry | None) -> None:
        """Add a file of a dataset."""
        if entry is not None:
            self.files.setdefault(dataset, []).append(entry)
        if entry is None or entry.mode == LINK:
            self.links.setdefault(dataset, []).append((path, entry))
        if entry is None:
            self.has_links.add(dataset)


def prefetch_facts(
    tip: CommitReader, datums: Iterable[Datum], sources: Sequence[Source]
) -> Iterator[Datum]:
    """Yield the datums in their order, each after the facts about its files are cached.

    While the caller uses one batch, git reads the files of the next.
    """
    views = _Datasets(tip)
    ready, unknown = _FactBatch(), dict[str, list[TreeEntry]]()
    for batch in chain(_batches(views, datums, sources), [_FactBatch()]):
        for name, files in unknown.items():
            if views[name].files.load_facts(files):
                ready.has_links.add(name)
        for name in ready.has_links:
            views[name].files.load_targets(ready.links[name])
        unknown = {
            name: views[name].files.without_facts(files) for name, files in batch.files.items()
        }
        for name, files in unknown.items():
            views[name].tree.objects.prefetch_blobs(oid for _, oid in files)
        yield from ready.datums
        ready = batch


class _Datasets(dict[str, CommitReader]):
    """The dataset and its subdatasets by path, each opened when it is first used."""

    def __init__(self, tip: CommitReader) -> None:
        super().__init__()
        self._tip = tip

    def __missing__(self, path: str) -> CommitReader:
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
            if sources[number].is_generated:
                continue
            below = sources[number].listing.files_below(path) if is_dir else (path,)
            inside = nested[number]
            for each in below:
                if inside is not None and inside.read(each, batch):
                    continue
                path = bases[number] + each
                entry = reads[number](path)
                if entry is not None and entry.mode != LINK:
                    lists[number].append(entry)
                else:
                    batch.add(sources[number].dataset, path, entry)
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
        rest = path[len(inside) + 1 :]
        batch.add(dataset, rest, self._reads[dataset](rest))
        return True
