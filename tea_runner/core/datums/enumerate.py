"""A pipeline's inputs and the listings of their places in, its datums out.

Meaning and defaults are Pachyderm's (``src/server/worker/datum``, in our own words).  Joins and
groups go by hash map and are linear in the number of entries; what a product would make is counted
before it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod

from tea_runner.core.datums.datum import Datum, Entry
from tea_runner.core.datums.listing import Listing
from tea_runner.core.errors import UserError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.glob.matcher import Glob, expand, references
from tea_runner.core.pipeline import Cron, Input, Pfs, Pipeline, pfs_leaves

#: Datums of one pipeline, unless the caller says otherwise.
LIMIT = 2_000_000

Row = tuple[Entry, ...]


class DatumsError(UserError):
    """The inputs make more datums than are allowed."""


def enumerate_datums(
    pipeline: Pipeline, listings: Mapping[int, Listing], *, limit: int = LIMIT
) -> tuple[Datum, ...]:
    """All datums of a pipeline, each once, in the order of its inputs and their paths.

    :param listings: by number of the input (see :func:`~tea_runner.core.pipeline.pfs_leaves`).
    :raises DatumsError: when they would be more than *limit*; before they are made.
    :raises UserError: when two different files would be one datum by name.
    """
    templates = (pipeline.output_path or "", *pipeline.outputs)
    maker = _Maker(
        pfs_leaves(pipeline.input),
        listings,
        limit,
        pipeline.name,
        captures=any(map(references, templates)),
    )
    return tuple(Datum(row) for row in maker.rows(pipeline.input))


@dataclass
class _Maker:
    """Walks the tree of inputs, counting its leaves."""

    leaves: Sequence[Pfs]
    listings: Mapping[int, Listing]
    limit: int
    pipeline: str
    #: Whether captures are wanted after the match.
    captures: bool
    number: int = 0

    def __post_init__(self) -> None:
        places = {(leaf.name, leaf.repo, leaf.branch): None for leaf in self.leaves}
        order = {place: index for index, place in enumerate(places)}
        #: Inputs that read the same place under the same name have the same number here.
        self.place = [order[leaf.name, leaf.repo, leaf.branch] for leaf in self.leaves]
        self.ambiguous = len({name for name, _, _ in places}) < len(places)

    def rows(self, node: Input) -> list[Row]:
        if isinstance(node, Pfs):
            return self._matches(node)
        if isinstance(node, Cron):
            return []
        children = [self.rows(child) for child in node.inputs]
        made = {
            "union": self._union,
            "cross": self._cross,
            "join": self._join,
            "group": self._group,
        }[node.kind](children)
        return self._once(made)

    def _matches(self, leaf: Pfs) -> list[Row]:
        number = self.number
        self.number += 1
        glob = Glob(leaf.glob)
        rows: list[Row] = []
        match, name, join_on, group_by = glob.match, leaf.name, leaf.join_on, leaf.group_by
        keep = self.captures
        candidates = self.listings[number].candidates(glob.literal_prefix[1:], glob.max_depth)
        for path, is_dir in candidates:
            captures = match("/" + path)
            if captures is not None:
                join = expand(join_on, captures) if join_on else ""
                group = expand(group_by, captures) if group_by else ""
                kept = captures if keep else ()
                row = (number, name, path, is_dir, kept, join, group)
                rows.append((fast_new(Entry, row),))
        self._allow(len(rows), f"input {name}")
        return rows

    def _union(self, children: list[list[Row]]) -> Iterable[Row]:
        self._allow(sum(map(len, children)), "union")
        return chain.from_iterable(children)

    def _cross(self, children: list[list[Row]]) -> Iterable[Row]:
        sizes = " x ".join(str(len(rows)) for rows in children)
        self._allow(prod(len(rows) for rows in children), f"cross of {sizes}")
        return (tuple(chain.from_iterable(rows)) for rows in product(*children))

    def _join(self, children: list[list[Row]]) -> Iterable[Row]:
        """For each key, every combination of the sides that have it."""
        buckets: dict[str, list[list[Entry]]] = {}
        for side, rows in enumerate(children):
            for row in rows:
                for entry in row:
                    bucket = buckets.get(entry.join_on)
                    if bucket is None:
                        bucket = buckets[entry.join_on] = [[] for _ in children]
                    bucket[side].append(entry)
        choices = [self._choices(bucket) for bucket in buckets.values()]
        self._allow(sum(prod(map(len, sides)) for sides in choices), "join")
        for sides in choices:
            for picked in product(*sides):
                row = tuple(entry for entry in picked if entry is not None)
                if row:
                    yield row

    def _choices(self, bucket: list[list[Entry]]) -> list[list[Entry | None]]:
        """What each side of a join may give for a key: all of it, or where a side is missing, what
        is to be kept nevertheless (``outer_join``); None is nothing."""
        if all(bucket):
            return [list(side) for side in bucket]
        choices = []
        for side in bucket:
            kept: dict[Entry | None, None] = {
                (entry if self.leaves[entry.input].outer_join else None): None for entry in side
            }
            choices.append(list(kept) or [None])
        return choices

    def _group(self, children: list[list[Row]]) -> Iterable[Row]:
        """For each key, one datum that holds everything with it."""
        buckets: dict[str, list[Entry]] = {}
        for entry in chain.from_iterable(chain.from_iterable(children)):
            buckets.setdefault(entry.group_by, []).append(entry)
        return (tuple(entries) for entries in buckets.values())

    def _once(self, rows: Iterable[Row]) -> list[Row]:
        """Equal datums are one: same names, places and paths in the same order."""
        place = self.place
        kept: dict[tuple[tuple[int, str, bool], ...], Row] = {}
        for row in rows:
            identity = tuple((place[entry.input], entry.path, entry.is_dir) for entry in row)
            kept.setdefault(identity, row)
        if self.ambiguous:
            self._refuse_twins(kept.values())
        return list(kept.values())

    def _refuse_twins(self, rows: Iterable[Row]) -> None:
        seen: dict[tuple[tuple[str, str, bool], ...], Row] = {}
        for row in rows:
            named = tuple((entry.name, entry.path, entry.is_dir) for entry in row)
            other = seen.setdefault(named, row)
            if other is not row:
                first, second = next(
                    (a, b)
                    for a, b in zip(other, row, strict=True)
                    if self.place[a.input] != self.place[b.input]
                )
                repos = f"{self.leaves[first.input].repo} and {self.leaves[second.input].repo}"
                raise UserError(
                    f"pipeline {self.pipeline}: {first.label} is in {repos}, and both inputs are "
                    f"called {first.name}; give each a name of its own"
                )

    def _allow(self, count: int, what: str) -> None:
        if count > self.limit:
            raise DatumsError(
                f"pipeline {self.pipeline}: the {what} makes {count} datums, and at most "
                f"{self.limit} are allowed; narrow its globs, or use join or group"
            )
