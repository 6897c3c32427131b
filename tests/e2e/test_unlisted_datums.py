"""Unchanged datums that a run leaves out are read from its manifest when somebody asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.dataset import Said, tea
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from workers import run_from_plan

LABELS = [f"in:{name}.txt" for name in "abcdef"]


@pytest.fixture
def few(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Six datums of which the last push changed one; runs keep two of the unchanged ones."""
    monkeypatch.setattr(run_from_plan, "_UNCHANGED", 2)
    files = {f"raw/{name}.txt": f"{name}\n" for name in "abcdef"}
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", COPY)})
    lab.push()
    lab.settle()
    lab.pull()
    lab.write({"raw/f.txt": "changed\n"})
    lab.save()
    lab.push()
    lab.settle()
    return lab


def show(lab: Lab, *words: str) -> Said:
    """``tea-runner show`` of the repository's latest run."""
    config = lab.site().state_folder / "tea-runner.toml"
    return tea(lab.dataset, "--config", str(config), "show", lab.name, *words)


def datums(said: Said) -> list[dict[str, Any]]:
    """Those of the only pipeline."""
    (pipeline,) = said.json["pipelines"]
    return list(pipeline["datums"])


@pytest.mark.long
def test_a_run_keeps_some_and_counts_all(few: Lab) -> None:
    """What is left out is a number."""
    (pipeline,) = show(few, "--json").json["pipelines"]

    assert (3, 3) == (len(pipeline["datums"]), pipeline["unlisted_datums"])


@pytest.mark.long
def test_all_datums_of_a_run_can_be_listed(few: Lab) -> None:
    """With their keys, once each, in JSON and as lines."""
    said = show(few, "--all", "--json")
    found = {row["datum"]: row for row in datums(said)}

    assert LABELS == sorted(found)
    assert len(LABELS) == len(datums(said))
    assert 0 == said.json["pipelines"][0]["unlisted_datums"]
    assert {"done": 1, "reused": 5} == said.json["counts"]
    states = sorted((row["state"], row["reason"]) for row in found.values())
    assert [("done", "input-changed"), *[("reused", "current")] * 5] == states
    assert len({row["key"] for row in found.values()} - {""}) == len(LABELS)
    lines = show(few, "--all").out
    assert all(label in lines for label in LABELS)
    assert "not listed" not in lines


@pytest.mark.long
def test_without_the_repository_the_run_is_shown_all_the_same(few: Lab) -> None:
    """With a note why datums are missing."""
    (few.root / "forge").rename(few.root / "away")
    said = show(few, "--all")

    assert 0 == said.code, said
    assert "up in:f.txt" in said.out
    assert "… and 3 unchanged ones" in said.out
    assert "unchanged datums cannot be listed" in said.err


@pytest.mark.long
def test_a_later_push_does_not_change_the_list(few: Lab) -> None:
    """The manifest is that of the run's own results commit."""
    run = show(few, "--json").json["id"]
    few.pull()
    few.write({"raw/a.txt": None, "raw/g.txt": "g\n"})
    few.save()
    few.push()
    few.settle()
    config = few.site().state_folder / "tea-runner.toml"
    said = tea(few.dataset, "--config", str(config), "show", run, "--all", "--json")

    assert LABELS == sorted(row["datum"] for row in datums(said))
