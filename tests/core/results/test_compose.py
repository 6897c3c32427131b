"""Results commits: their changes, and collisions that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tea_runner.core.errors import OutputRefused
from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry
from tea_runner.core.pipeline import Pfs, Pipeline, Transform
from tea_runner.core.results.compose_commit import (
    Composition,
    FinishedDatum,
    PipelineChange,
    compose,
)
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.result import Result, ResultFile

PIPELINE = Pipeline(
    name="up",
    home="up",
    spec_path="up/spec.yml",
    spec_blob="b" * 40,
    transform=Transform(cmd=("x",)),
    input=Pfs(name="in", repo="raw", glob="/*"),
)
MD5 = "60b725f10c9c85c70d97880dfe8191b3"


def datum(label: str, *paths: str, key: str = "k", place: str = "") -> FinishedDatum:
    """A finished datum whose outputs are files in git."""
    outputs = tuple(ResultFile(path, "git", "1" * 40, 1) for path in paths)
    return FinishedDatum(
        label=label, key=key, place=place, result=Result(key, outputs), inputs=("raw/" + label,)
    )


def datum_row(label: str, key: str, paths: tuple[str, ...]) -> Row:
    """The row of such a datum."""
    return datum(label, *paths, key=key).row


def put_together(
    *finished: FinishedDatum,
    before: tuple[Row, ...] = (),
    stays: tuple[str, ...] = (),
    tree: tuple[str, ...] = (),
    **more: Any,
) -> Composition:
    """Compose over a tree that holds these files; datums of *before* are gone, or among *stays*."""

    def exists(path: str) -> TreeEntry | None:
        if path in tree:
            return TreeEntry(PLAIN, "2" * 40)
        return TreeEntry(TREE, "3" * 40) if any(p.startswith(path + "/") for p in tree) else None

    there = {item.label for item in finished}
    gone = [row.datum for row in before if row.datum not in there and row.datum not in stays]
    return compose(
        PipelineChange(
            pipeline=PIPELINE,
            finished=finished,
            before=Manifest.of(before),
            removed=gone,
            parts={},
            dataset_id="id",
            code=(),
            entry=exists,
            files_below=lambda path: [p for p in tree if p.startswith(path + "/")],
            **more,
        )
    )


def changes(made: Composition) -> dict[str, bool]:
    """Path to whether it is written (or else removed), without the manifest."""
    found = {path: put is not None for step in made.steps for path, put in step.changes.items()}
    found.update({path: put is not None for path, put in made.rest.items()})
    found.pop("up/manifest.tsv", None)
    return found


def test_new_datums_are_steps_of_their_own_with_exact_records() -> None:
    """One record per datum, sorted by label, each with its own input and outputs."""
    made = put_together(datum("b", "y"), datum("a", "x", "z"))

    assert [("raw/a",), ("raw/b",)] == [step.record.inputs for step in made.steps]
    assert [("up/x", "up/z"), ("up/y",)] == [step.record.outputs for step in made.steps]
    assert {"up/x": True, "up/y": True, "up/z": True} == changes(made)
    assert (2, 0) == (made.changed, made.removed)


def test_what_stands_already_is_left_alone() -> None:
    """The same rows over a tree that has the files: nothing to publish."""
    made = put_together(datum("a", "x"), before=(datum_row("a", "k", ("x",)),), tree=("up/x",))

    assert made.empty


def test_a_datum_that_is_gone_takes_its_outputs_along() -> None:
    """Removed, unless another datum owns the path now."""
    before = (datum_row("a", "k", ("x", "y")), datum_row("b", "k", ("z",)))
    made = put_together(datum("b", "z", "y", key="n"), before=before, tree=("up/x", "up/y", "up/z"))

    assert {"up/x": False, "up/y": True, "up/z": True} == changes(made)
    assert 1 == made.removed


def test_a_removed_output_is_put_back() -> None:
    """The manifest knows the datum, the tree lacks one file: the datum is written again."""
    made = put_together(
        datum("a", "x", "y"), before=(datum_row("a", "k", ("x", "y")),), tree=("up/x",)
    )

    assert {"up/x": True, "up/y": True} == changes(made)
    assert "up/manifest.tsv" not in made.rest


def test_annexed_outputs_are_links_as_deep_as_their_place() -> None:
    """The link leads from the output's own directory to the annex."""
    output = ResultFile("d/x", "annex", f"MD5-s2--{MD5}", 2)
    item = FinishedDatum(label="a", key="k", place="p", result=Result("k", (output,)), inputs=())
    (step,) = put_together(item).steps
    put = step.changes["up/p/d/x"]

    assert put is not None
    assert put.data.startswith(b"../../../.git/annex/objects/")


def test_outputs_may_change_their_shape() -> None:
    """A former file that is a directory now, and the other way round, belongs to the datum all along."""
    to_directory = put_together(
        datum("a", "x/y", key="n"), before=(datum_row("a", "k", ("x",)),), tree=("up/x",)
    )
    to_file = put_together(
        datum("a", "x", key="n"), before=(datum_row("a", "k", ("x/y",)),), tree=("up/x/y",)
    )

    assert {"up/x/y": True} == changes(to_directory)
    assert {"up/x": True, "up/x/y": False} == changes(to_file)


@pytest.mark.parametrize(
    ("finished", "tree", "said"),
    [
        ([datum("a", "x"), datum("b", "x")], (), "two datums wrote x: a and b"),
        (
            [datum("a", "x"), datum("b", "x/y")],
            (),
            "x is a file of datum a and a directory of datum b",
        ),
        ([datum("a", "manifest.tsv")], (), "datum a wrote manifest.tsv, which has a special"),
        ([datum("a", "manifest.d/x")], (), "datum a wrote manifest.d/x, which has a special"),
        ([datum("a", "x")], ("up/x",), "datum a wrote up/x, which is a file of yours"),
        ([datum("a", "x/y/z")], ("up/x",), "datum a wrote up/x/y/z, but up/x is a file of yours"),
        ([datum("a", "x")], ("up/x/mine",), "datum a wrote up/x, but up/x/mine is a file of yours"),
    ],
)
def test_a_path_with_two_owners_is_refused_with_both_names(
    finished: list[FinishedDatum], tree: tuple[str, ...], said: str
) -> None:
    """Datum against datum, datum against a person's file, and every shape of either."""
    with pytest.raises(OutputRefused) as caught:
        put_together(*finished, tree=tree)

    assert caught.value.message.startswith(said)


def test_what_stays_is_not_touched_and_not_overwritten() -> None:
    """A datum that stays keeps its row; whoever writes where it stands is told both names."""
    before = (datum_row("a", "k", ("x",)), datum_row("b", "k", ("y",)))
    tree = ("up/x", "up/y")
    made = put_together(datum("b", "y", "z", key="n"), before=before, stays=("a",), tree=tree)

    assert {"up/y": True, "up/z": True} == changes(made)
    assert (before[0], datum_row("b", "n", ("y", "z"))) == made.manifest.rows
    for path, said in (
        ("x", "two datums wrote x: a and b"),
        ("x/z", "x is a file of datum a and a directory of datum b"),
    ):
        with pytest.raises(OutputRefused, match=said):
            put_together(datum("b", path), before=before, stays=("a",), tree=tree)
    inside = (datum_row("a", "k", ("d/x",)),)
    with pytest.raises(OutputRefused, match="d is a file of datum b and a directory of datum a"):
        put_together(datum("b", "d"), before=inside, stays=("a",), tree=("up/d/x",))


def test_a_manifest_of_many_rows_is_written_in_pieces() -> None:
    """Its head, and those pieces that have changed; what stands where they were goes with them."""
    rows = tuple(Row(f"{n:04}", "k", "", ()) for n in range(1100))
    large = put_together(*(datum(row.datum) for row in rows))
    files = {path for path in large.rest if path.startswith("up/manifest.d/")}
    small = put_together(datum("0007"), before=rows, tree=tuple(files))
    one = put_together(datum("0007", key="n"), before=rows, stays=tuple(row.datum for row in rows))

    assert 16 == len(files)
    assert {"up/manifest.tsv", *files} == small.rest.keys()
    assert [None] * 16 == [small.rest[path] for path in files]
    assert ["up/manifest.d/f.tsv", "up/manifest.tsv"] == sorted(one.rest)


def test_many_datums_share_records() -> None:
    """Six hundred datums: groups of two, with both keys and no single exit code."""
    made = put_together(*(datum(f"{n:03}", f"{n}") for n in range(600)))

    assert 2 == len(made.steps[0].record.inputs)
    assert ["Tea-Pipeline", "Tea-Key", "Tea-Key"] == [
        name for name, _ in made.steps[0].record.trailers
    ]
    assert "up: 000 and 1 more" == made.steps[0].record.title
