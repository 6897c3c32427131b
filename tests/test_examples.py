"""What the examples promise holds together: their steps, their counts, their photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/expected.json"))


def _steps(name: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = json.loads((EXAMPLES / name / "expected.json").read_text())[
        "steps"
    ]
    return steps


def test_every_example_says_what_must_come_of_it() -> None:
    """Each folder with a dataset has a README, expected results, and a row in the list."""
    listed = (EXAMPLES / "README.md").read_text()
    folders = sorted(path.parent.name for path in EXAMPLES.glob("*/dataset"))
    assert folders == NAMES
    assert [] == [name for name in folders if f"]({name}/README.md)" not in listed]
    assert [] == [name for name in folders if not (EXAMPLES / name / "README.md").is_file()]


@pytest.mark.parametrize("name", NAMES)
def test_each_step_adds_up(name: str) -> None:
    """What runs and what is reused are all datums; what changes is among the results."""
    steps = _steps(name)
    added = sorted({step["add"] for step in steps})
    changes = [f"changes/{path.name}" for path in (EXAMPLES / name).glob("changes/*")]
    assert sorted(["dataset", *changes]) == added
    for step in steps:
        for counts in step["pipelines"].values():
            assert counts["datums"] == counts["run"] + counts["reused"]
        assert bool(step["changed"]) == step["commit"]
        assert set(step["changed"]) <= set(step["results"])
        assert set(step.get("contents", ())) <= set(step["results"])
        assert sorted(step["results"]) == step["results"]


@pytest.mark.parametrize("name", NAMES)
def test_each_pipeline_lies_in_the_folder_of_its_name(name: str) -> None:
    """The pipelines that the steps name are those of the dataset; their code lies beside them."""
    specs = sorted((EXAMPLES / name / "dataset").glob("*/spec.yml"))
    named = {yaml.safe_load(spec.read_text())["pipeline"]["name"]: spec.parent for spec in specs}
    assert {home.name for home in named.values()} == set(named)
    assert set(named) == set(_steps(name)[0]["pipelines"])
    for spec in specs:
        command = yaml.safe_load(spec.read_text())["transform"]["cmd"]
        assert (EXAMPLES / name / "dataset" / command[-1]).is_file()


def test_each_photograph_is_small_and_has_its_source_named() -> None:
    """No photograph is larger than 40 kB, and PHOTOS.md has a row for each."""
    photographs = sorted((EXAMPLES / "edges" / "dataset" / "images").iterdir())
    sources = (EXAMPLES / "edges" / "PHOTOS.md").read_text()
    assert 6 == len(photographs)
    assert [] == [path.name for path in photographs if path.stat().st_size > 40_000]
    assert [] == [path.name for path in photographs if f"| `{path.name}` |" not in sources]
