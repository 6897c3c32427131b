"""Each example, push by push, does what its ``expected.json`` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import folder_lab
from tests.e2e.lab import EXAMPLES, Lab

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/expected.json"))


def results(lab: Lab) -> set[str]:
    """All files of results in the tree at HEAD, as the manifests tell."""
    found: set[str] = set()
    for line in lab.git("ls-tree", "-r", "--name-only", "HEAD").splitlines():
        if line.endswith("/manifest.tsv"):
            home = line.rpartition("/")[0]
            for row in lab.git("show", f"HEAD:{line}").splitlines():
                if row.startswith(("#", "datum\t")):
                    continue
                place, outputs = row.split("\t")[2:4]
                for output in outputs.split():
                    found.add("/".join(part for part in (home, place, output) if part))
    return found


def check(lab: Lab, name: str) -> None:
    """Go through an example's steps."""
    steps: list[dict[str, Any]] = json.loads((EXAMPLES / name / "expected.json").read_text())[
        "steps"
    ]
    for number, step in enumerate(steps):
        if number == 0:
            lab.create(name)
        else:
            lab.add(f"{name}/{step['add']}")
            lab.save(step["name"])
        pushed = lab.push()
        run = lab.settle()
        assert run is not None
        assert run.state == "settled", (step["name"], run)
        tip = lab.pull()

        assert step["commit"] == (tip != pushed), step["name"]
        assert set(step["results"]) == results(lab), step["name"]
        counts = {p.name: p.counts for p in run.pipelines}
        for pipeline, expected in step["pipelines"].items():
            had = counts[pipeline]
            reused = had.get("reused", 0) + had.get("current", 0)
            assert expected["run"] == had.get("done", 0), (step["name"], pipeline, had)
            assert expected["reused"] == reused, (step["name"], pipeline, had)
        changed = lab.git("diff", "--name-only", pushed, tip).splitlines()
        records = ("/manifest.", ".datalad/tea-runner/")
        outputs = {path for path in changed if not any(part in path for part in records)}
        assert set(step["changed"]) == outputs, step["name"]


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_it_promises(tmp_path: Path, name: str) -> None:
    """Datums run and are reused as promised, and exactly the expected files change."""
    files = (EXAMPLES / name / "dataset").glob("*/spec.yml")
    network = any("network: true" in path.read_text() for path in files)
    lab = folder_lab(tmp_path, sandbox="bwrap", network=network)
    try:
        check(lab, name)
    finally:
        lab.close()
