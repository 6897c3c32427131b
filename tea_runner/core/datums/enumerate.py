"""Enumerate a pipeline's datums from its inputs and their listings.

Semantics and defaults are Pachyderm's (``src/server/worker/datum``).  Joins and groups use hash
maps, so they are linear in the number of entries; the size of a product is checked before it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod

from tea_runner.core.datums.datum import Datum, Entry, EntryOfRepo
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.errors import UserError
from tea_runner.core.fast_tuple import fast_new
from tea_runner.core.glob.matcher import Glob, expand, references
from tea_runner.core.pipeline import (
    Cron,
    Input,
    Pfs,
    Pipeline,
    numbered_leaves,
)

#: Default limit on the datums of one pipeline.
LIMIT = 2_000_000

Row = tuple[Entry, ...]


class DatumsError(UserError):
    """The inputs make too many datums."""


def enumerate_datums(
    pipeline: Pipeline, listings: Mapping[int, Listing], *, limit: int = LIMIT
) -> tuple[Datum, ...]:
    """All datums of a pipeline, without duplicates, in the order of its inputs and their paths.

    :param listings: of the pfs inputs, by number (see :func:`~tea_runner.core.pipeline.numbered_leaves`).
    :raises DatumsError: when there would be more than *limit*, before they are made.
    :raises UserError: when a datum would have two files at the same path.
    """
    templates = (pipeline.output_path or "", *pipeline.outputs)
    enumerator = _Enumerator(
        numbered_leaves(pipeline.input),
        listings,
        limit,
        pipeline.name,
        captures=any(map(references, templates)),
    )
    return tuple(Datum(row) for row in enumerator.rows(pipeline.input))


@dataclass
class _Enumerator:
    """Recursion over the tree of inputs, which counts its pfs inputs and its schedules."""

    leaves: Sequence[Pfs | Cron]
    listings: Mapping[int, Listing]
    limit: int
    pipeline: str
    #: Whether entries keep their captures.
    captures: bool
    number: int = 0
    schedules: int = 0

    def __post_init__(self) -> None:
        origins = [(leaf.name, *_origin(leaf)) for leaf in self.leaves]
        numbers = {origin: number for number, origin in enumerate(dict.fromkeys(origins))}
        #: By number of the input; inputs with the same name, repo and branch have the same origin.
        self.origin = [numbers[origin] for origin in origins]
        self.ambiguous = len({name for name, _, _ in numbers}) < len(numbers)

    def rows(self, node: Input) -> list[Row]:
        if isinstance(node, Pfs):
            return self._matches(node)
        if isinstance(node, Cron):
            return self._ticks(node)
        children = [self.rows(child) for child in node.inputs]
        made = {
            "union": self._union,
            "cross": self._cross,
            "join": self._join,
            "group": self._group,
        }[node.kind](children)
        return self._unique(made)

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
        self._check_limit(len(rows), f"input {name}")
        return rows

    def _ticks(self, schedule: Cron) -> list[Row]:
        pfs = sum(isinstance(leaf, Pfs) for leaf in self.leaves)
        number = pfs + self.schedules
        self.schedules += 1
        ticks = schedule.ticks or ()
        self._check_limit(len(ticks), f"input {schedule.name}")
        name = schedule.name
        rows: list[Row] = []
        for tick in ticks:
            captures = (f"/{tick}", tick) if self.captures else ()
            rows.append((fast_new(Entry, (number, name, tick, False, captures, "", "")),))
        return rows

    def _union(self, children: list[list[Row]]) -> Iterable[Row]:
        self._check_limit(sum(map(len, children)), "union")
        return chain.from_iterable(children)

    def _cross(self, children: list[list[Row]]) -> Iterable[Row]:
        sizes = " x ".join(str(len(rows)) for rows in children)
        self._check_limit(prod(len(rows) for rows in children), f"cross of {sizes}")
        return (tuple(chain.from_iterable(rows)) for rows in product(*children))

    def _join(self, children: list[list[Row]]) -> Iterable[Row]:
        """For each value of join_on, every combination of the children's entries with it."""
        buckets: dict[str, list[list[Entry]]] = {}
        for side, rows in enumerate(children):
            for row in rows:
                for entry in row:
                    bucket = buckets.get(entry.join_on)
                    if bucket is None:
                        bucket = buckets[entry.join_on] = [[] for _ in children]
                    bucket[side].append(entry)
        choices = [self._choices(bucket) for bucket in buckets.values()]
        self._check_limit(sum(prod(map(len, sides)) for sides in choices), "join")
        for sides in choices:
            for picked in product(*sides):
                row = tuple(entry for entry in picked if entry is not None)
                if row:
                    yield row

    def _choices(self, bucket: list[list[Entry]]) -> list[list[Entry | None]]:
        """The entries that each side of a join contributes for one value of join_on.

        If a side has none, only entries of ``outer_join`` inputs remain; None stands for no entry.
        """
        if all(bucket):
            return [list(side) for side in bucket]
        choices = []
        for side in bucket:
            kept: dict[Entry | None, None] = {
                (entry if self._is_outer(entry) else None): None for entry in side
            }
            choices.append(list(kept) or [None])
        return choices

    def _is_outer(self, entry: Entry) -> bool:
        leaf = self.leaves[entry.input]
        return isinstance(leaf, Pfs) and leaf.outer_join

    def _group(self, children: list[list[Row]]) -> Iterable[Row]:
        """For each value of group_by, one datum with all its entries."""
        buckets: dict[str, list[Entry]] = {}
        for entry in chain.from_iterable(chain.from_iterable(children)):
            buckets.setdefault(entry.group_by, []).append(entry)
        return (tuple(entries) for entries in buckets.values())

    def _unique(self, rows: Iterable[Row]) -> list[Row]:
        """Remove duplicates: datums with the same origins and paths in the same order."""
        origin = self.origin
        kept: dict[tuple[tuple[int, str, bool], ...], Row] = {}
        for row in rows:
            identity = tuple((origin[entry.input], entry.path, entry.is_dir) for entry in row)
            kept.setdefault(identity, row)
        return self._distinct(kept.values()) if self.ambiguous else list(kept.values())

    def _distinct(self, rows: Iterable[Row]) -> list[Row]:
        """The rows with labels of their own: of two with the same names and paths, the second has its repo.

        :raises UserError: when one datum has two such files, which would have the same path in its view.
        """
        first: dict[tuple[tuple[str, str, bool], ...], Row] = {}
        found = []
        for row in rows:
            named = tuple((entry.name, entry.path, entry.is_dir) for entry in row)
            if len(set(named)) < len(named):
                self._refuse(row)
            other = first.setdefault(named, row)
            if other is not row:
                row = tuple(
                    EntryOfRepo.of(mine, self._repo(mine))
                    if self.origin[mine.input] != self.origin[theirs.input]
                    else mine
                    for theirs, mine in zip(other, row, strict=True)
                )
            found.append(row)
        return found

    def _repo(self, entry: Entry) -> str:
        repo, branch = _origin(self.leaves[entry.input])
        return repo if branch == "master" else f"{repo}@{branch}"

    def _refuse(self, row: Row) -> None:
        seen: dict[tuple[str, str], Entry] = {}
        for entry in row:
            other = seen.setdefault((entry.name, entry.path), entry)
            if self.origin[other.input] != self.origin[entry.input]:
                repos = f"{self._repo(other)} and {self._repo(entry)}"
                raise UserError(
                    f"pipeline {self.pipeline}: {other.label} is in {repos}, and both inputs are "
                    f"called {other.name}; give each input its own name"
                )

    def _check_limit(self, count: int, what: str) -> None:
        if count > self.limit:
            raise DatumsError(
                f"pipeline {self.pipeline}: the {what} makes {count} datums, more than the limit of "
                f"{self.limit}; use narrower globs, or join or group"
            )


def _origin(leaf: Pfs | Cron) -> tuple[str, str]:
    """Repo and branch that an input reads; a schedule has a repo of its own, as in Pachyderm."""
    return (leaf.repo, leaf.branch) if isinstance(leaf, Pfs) else (leaf.name, "")
