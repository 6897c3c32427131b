"""``outputs.names = "portable"``: no two results of a folder are one file on another system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset, Said

PORTABLE = {"TEA_RUNNER_OUTPUTS__NAMES": "portable"}


def make(tmp_path: Path, names: dict[str, str], **files: str) -> Dataset:
    """One datum for each file of ``d``, which writes a result of that name; *files* go to ``up``."""
    document = {
        "pipeline": {"name": "up"},
        "input": {"pfs": {"name": "d", "repo": "d", "glob": "/*"}},
        "transform": {
            "cmd": [
                "sh",
                "-ec",
                'n=$(cat "$d"); mkdir -p "$PFS/out/$(dirname "$n")"; echo x >"$PFS/out/$n"',
            ]
        },
    }
    inputs = {f"d/{name}": text for name, text in names.items()}
    own = {f"up/{path}": "mine\n" for path in files}
    return Dataset(tmp_path / "data", {**inputs, **own, "up/spec.json": json.dumps(document)})


def run(dataset: Dataset, settings: dict[str, str] | None = None) -> Said:
    """Run what is to do."""
    return dataset.tea("run", "-y", env=PORTABLE if settings is None else settings)


def results(dataset: Dataset) -> list[str]:
    """Results in the last commit."""
    listed = dataset.do(
        "git", "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "HEAD", "up"
    )
    return [
        path.removeprefix("up/")
        for path in listed.splitlines()
        if not path.startswith(("up/spec.json", "up/manifest"))
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("T1.txt", "t1.txt"),
        ("caf\u00e9", "cafe\u0301"),
        ("Sub/x", "sub/y"),
        ("deep/Sub/x", "deep/sub"),
    ],
)
def test_two_datums_cannot_write_names_that_some_systems_hold_for_one(
    tmp_path: Path, one: str, two: str
) -> None:
    """Nothing is published, and the sentence names both datums and the setting."""
    dataset = make(tmp_path, {"a": one, "b": two})
    said = run(dataset)

    assert 1 == said.code, said
    assert [] == results(dataset)
    words = said.out + said.err
    assert all(part in words for part in ("names collide on some systems", "d:a", "d:b")), words
    assert 'outputs.names = "git"' in words


def test_by_default_such_names_are_results(tmp_path: Path) -> None:
    """As everywhere on Linux."""
    dataset = make(tmp_path, {"a": "T1.txt", "b": "t1.txt"})

    assert 0 == run(dataset, {}).code
    assert ["T1.txt", "t1.txt"] == results(dataset)


@pytest.mark.long
def test_a_result_cannot_stand_beside_a_file_that_some_systems_hold_for_it(tmp_path: Path) -> None:
    """The file is the person's own."""
    dataset = make(tmp_path, {"a": "readme"}, README="")
    said = run(dataset)

    assert 1 == said.code, said
    assert "README" in said.out + said.err
    assert "d:a" in said.out + said.err


@pytest.mark.long
def test_a_later_datum_meets_results_of_earlier_ones(tmp_path: Path) -> None:
    """Those of a run before, also as a folder."""
    dataset = make(tmp_path, {"a": "Sub/x", "b": "same"})
    assert 0 == run(dataset).code
    dataset.save({"d/c": "sub/y"})
    said = run(dataset)

    assert 1 == said.code, said
    assert "Sub" in said.out + said.err
    assert "d:c" in said.out + said.err
    assert ["Sub/x", "same"] == results(dataset)


@pytest.mark.long
def test_a_datum_may_change_the_case_of_its_own_result(tmp_path: Path) -> None:
    """The former name goes."""
    dataset = make(tmp_path, {"a": "Sub/X", "b": "same"})
    assert 0 == run(dataset).code
    dataset.save({"d/a": "sub/x"})
    said = run(dataset)

    assert 0 == said.code, said
    assert ["same", "sub/x"] == results(dataset)
