"""Rows of manifests that claim files which are no results, and results that claim to be code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.manifest_text import format_head
from tea_runner.flow.read_manifest import read_manifest
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Content
from tests.twins.lab import MemoryLab, write_key
from tests.twins.plans import TWO
from tests.twins.specs import pfs, spec


def settled(files: dict[str, Content]) -> MemoryLab:
    """A dataset whose results are settled on ``main``, the only trusted branch."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]))
    lab.push(files)
    lab.settle()
    return lab


def claim(lab: MemoryLab, home: str, *paths: str) -> None:
    """Push a manifest that claims these files as outputs of ``in:a``."""
    manifest = read_manifest(lab.view().tree, home)
    rows = [
        row._replace(
            outputs=(*row.outputs, *paths),
            contents=(*row.contents, *[f"git:{'0' * 40}"] * len(paths)),
            sizes=(*row.sizes, *[0] * len(paths)),
        )
        if row.datum == "in:a"
        else row
        for row in manifest.rows
    ]
    path = f"{home}/manifest.tsv" if home else "manifest.tsv"
    lab.push({path: format_head(Manifest.of(rows, parts=manifest.parts)).decode()})


ROOT = {
    "spec.yml": spec("root"),
    "raw/a": "1",
    "raw/b": "2",
    ".gitattributes": "* annex.largefiles=nothing\n",
    "code/run.py": "pass\n",
    "data/x": "3",
    "below/spec.yml": spec("below", pfs("data")),
}


@pytest.mark.parametrize(
    "claimed",
    [
        "spec.yml",
        "below/spec.yml",
        "below/manifest.tsv",
        "below/in-x.txt",
        ".gitattributes",
        "raw/b",
        "data/x",
        "code/run.py",
    ],
)
def test_a_row_that_nobody_proved_deletes_no_file_that_is_no_result_of_it(claimed: str) -> None:
    """The row leaves the manifest; pipelines, rules, inputs, code and others' results stay."""
    lab = settled({**ROOT})
    before = lab.files()
    claim(lab, "", claimed)
    lab.settle()

    assert before == lab.files()
    assert claimed in lab.entries()


def test_files_that_a_row_claims_are_not_overwritten() -> None:
    """Its datum now writes a path that is an input of the pipeline below."""
    lab = settled({**ROOT})
    claim(lab, "", "data/x")
    lab.push({"raw/a": "new"})
    done, _ = lab.settle(command=lambda label, key: {"data/x": "mine"} if label == "in:a" else {})

    assert done.pipelines["root"].state == "failed"
    assert "data/x, which is a file of yours" in done.pipelines["root"].detail
    assert lab.text("data/x") == "3"


def test_outputs_below_the_folder_of_code_are_refused() -> None:
    """A command of a pipeline at the top cannot add a module that other pipelines would execute."""
    lab = settled({**ROOT})
    lab.push({"raw/a": "new"})

    def command(label: str, key: str) -> dict[str, Content]:
        return {"code/json.py": "print('mine')"} if label == "in:a" else write_key(label, key)

    done, computed = lab.settle(command=command)

    assert computed == ["in:a"]
    assert "code/json.py, which has a special meaning" in done.pipelines["root"].detail
    assert "code/json.py" not in lab.entries()


def test_a_pipeline_cannot_lie_in_the_folder_of_code() -> None:
    """Its manifest would be code of all others, so that none would settle."""
    lab = settled({**TWO, "code/make/spec.yml": spec("make")})

    (problem,) = lab.view().pipelines.problems
    assert "pipeline make would publish into code/make" in str(problem)
    assert "code/make/manifest.tsv" not in lab.entries()


def rows_twice(text: str) -> str:
    """Every row once more, as a union merge makes it."""
    head, *rows = text.split("datum\tkey")
    return head + "datum\tkey" + rows[0] + rows[0].partition("\n")[2]


def rows_in_disorder(text: str) -> str:
    """The rows in another order."""
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("datum\t")) + 1
    return "\n".join([*lines[:first], *reversed(lines[first:])]) + "\n"


@pytest.mark.parametrize("edit", [rows_twice, rows_in_disorder])
def test_a_manifest_with_rows_twice_settles(edit: Callable[[str], str]) -> None:
    """One plan, not two hundred that change nothing."""
    lab = settled({**TWO})
    lab.push({"copy/manifest.tsv": edit(lab.text("copy/manifest.tsv"))})
    plans: list[str] = []
    read = lab.dataset.unsettled_results

    def counted(scope: str = "") -> object:
        plans.append(scope)
        return read(scope)

    lab.dataset.unsettled_results = counted  # type: ignore[method-assign, assignment]
    done, computed = lab.settle()

    assert computed == []
    assert done.pipelines["copy"].state == "settled"
    assert len(plans) <= 2
