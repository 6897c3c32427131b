"""Joins, groups, crosses and unions compared with brute force, for random inputs."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.datums.enumerate import enumerate_datums
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.pipeline import Combined, Input, Pfs, Pipeline, Transform, pfs_leaves

#: A file is a letter, which is its key, and a digit.
files = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("12")).map("".join), max_size=4)
place = st.tuples(files, st.booleans(), st.booleans())

Brute = list[tuple[str, ...]]


def _tree(depth: int) -> st.SearchStrategy[object]:
    if depth == 0:
        return place
    inner = st.lists(_tree(depth - 1), min_size=1, max_size=3)
    kinds = st.sampled_from(["union", "cross", "join", "group"])
    return st.one_of(place, st.tuples(kinds, inner))


class Case:
    """A random tree as an input for the real thing, and as datums by brute force."""

    def __init__(self, tree: object) -> None:
        self.listings: dict[int, Listing] = {}
        self.outer: dict[str, bool] = {}
        self.input = self._build(tree)
        self.expected = self._brute(self.input)

    def _build(self, tree: object) -> Input:
        assert isinstance(tree, tuple)
        if isinstance(tree[0], str):
            kind, inner = tree
            inputs = tuple(self._build(child) for child in inner)
            return Combined(kind=kind, inputs=inputs)
        names, outer, keyed = tree
        number = len(self.listings)
        self.listings[number] = Listing(names)
        self.outer[f"i{number}"] = outer
        template = "$1" if keyed else ""
        return Pfs(
            name=f"i{number}",
            repo=f"r{number}",
            glob="/(?)*",
            join_on=template,
            group_by=template,
            outer_join=outer,
        )

    def _key(self, label: str, node: Input) -> str:
        name, _, file = label.partition(":")
        leaf = next(leaf for leaf in pfs_leaves(node) if leaf.name == name)
        return file[0] if leaf.join_on else ""

    def _brute(self, node: Input) -> Brute:
        if isinstance(node, Pfs):
            found = self.listings[int(node.name[1:])].files
            return [(f"{node.name}:{file}",) for file in found]
        assert isinstance(node, Combined)
        children = [self._brute(child) for child in node.inputs]
        rows: Brute = []
        if node.kind == "union":
            rows = [row for child in children for row in child]
        elif node.kind == "cross":
            rows = [sum(rows, ()) for rows in product(*children)]
        elif node.kind == "group":
            entries = [entry for child in children for row in child for entry in row]
            for key in dict.fromkeys(self._key(entry, node) for entry in entries):
                rows.append(tuple(e for e in entries if self._key(e, node) == key))
        else:
            rows = self._brute_join(node, children)
        return list(dict.fromkeys(rows))

    def _brute_join(self, node: Combined, children: list[Brute]) -> Brute:
        sides = [[entry for row in child for entry in row] for child in children]
        keys = dict.fromkeys(self._key(entry, node) for side in sides for entry in side)
        rows: Brute = []
        for key in keys:
            having = [[e for e in side if self._key(e, node) == key] for side in sides]
            for picked in product(*(side for side in having if side)):
                if not all(having):
                    picked = tuple(e for e in picked if self.outer[e.partition(":")[0]])
                if picked:
                    rows.append(picked)
        return rows


@settings(max_examples=400, deadline=None)
@given(_tree(2))
def test_datums_are_those_of_brute_force(tree: object) -> None:
    """Whatever is nested in whatever: the same datums, each once."""
    case = Case(tree)
    pipeline = Pipeline(
        name="p",
        home="p",
        spec_path="p/spec.yml",
        transform=Transform(cmd=("true",)),
        input=case.input,
    )
    found = enumerate_datums(pipeline, case.listings)
    assert sorted(" ".join(row) for row in case.expected) == sorted(d.label for d in found)
    assert len({datum.id for datum in found}) == len(found)
