"""Datums that ``err_cmd`` recovered: successes without outputs, which people can find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import FILES, SHOUT, Dataset

#: The command fails for one of the two files.
PICKY = SHOUT + '  err_cmd: ["true"]\n'
SCRIPT = 'cd "$PFS/in" && for f in *; do grep -q bb "$f" && exit 1; cp "$f" "$PFS/out/"; done\n'


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A dataset of which one of two datums is recovered."""
    files = {**FILES, "shout/spec.yml": PICKY, "shout/shout.sh": SCRIPT}
    return Dataset(tmp_path / "data", {p: t for p, t in files.items() if "table" not in p})


@pytest.mark.long
def test_recovered_datums_have_a_state_of_their_own(dataset: Dataset) -> None:
    """``run``, ``plan``, ``status`` and ``why`` name it, and count it apart."""
    done = dataset.tea("run", "-y")
    assert 0 == done.code
    assert "run(ok): shout [1 done, 1 recovered]" in done.out
    assert "\trecovered\t" in (dataset.path / "shout/manifest.tsv").read_text()

    plan = dataset.tea("plan")
    assert "1 current" in plan.out
    assert "1 recovered" in plan.out
    assert {"current": 1, "recovered": 1} == dataset.tea("plan", "--json").json["pipelines"][0][
        "counts"
    ]
    status = dataset.tea("status", "--exit-code")
    assert 0 == status.code
    assert "Everything is current: 1 datums, 1 recovered." in status.out
    assert "recovered: shout in:b.txt  its command failed and err_cmd succeeded" in status.out
    why = dataset.tea("why", "in:b.txt")
    assert why.lines[0] == "current(recovered): shout in:b.txt"
    assert "it was recovered: its command failed and err_cmd succeeded" in why.out
    assert "run(ok): shout [1 reused, 1 recovered]" in dataset.tea("run", "-y").out
