"""``tea-runner run`` keeps to what this machine has: jobs wait for one another, and a missing GPU is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_SPAN = "date +%s%N > $PFS/out/$(basename $PFS/in/*); sleep 0.3; date +%s%N >> $PFS/out/$(basename $PFS/in/*)"


def _dataset(folder: Path, **fields: object) -> Dataset:
    document = {
        "pipeline": {"name": "span"},
        "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*"}},
        "transform": {"cmd": ["sh", "-c", _SPAN]},
        **fields,
    }
    files = {f"raw/{name}": name for name in "abc"}
    return Dataset(folder / "data", {**files, "span/spec.json": json.dumps(document)})


def _overlapping(dataset: Dataset) -> int:
    spans = [tuple(map(int, (dataset.path / "span" / name).read_text().split())) for name in "abc"]
    return sum(a[0] < b[1] and b[0] < a[1] for a in spans for b in spans if a < b)


@pytest.mark.long
@pytest.mark.parametrize(("cpu", "overlaps"), [(2.0, False), (0.5, True)], ids=["large", "small"])
def test_jobs_run_side_by_side_while_they_fit(tmp_path: Path, cpu: float, overlaps: bool) -> None:
    """Three jobs, three threads, three processors: of those that request two, one runs at a time."""
    dataset = _dataset(tmp_path, resource_requests={"cpu": cpu})
    said = dataset.tea("-c", 'worker.offers={"cpus": 3}', "run", "-y", "-j", "3")
    assert 0 == said.code, said
    assert overlaps == bool(_overlapping(dataset))


def test_a_missing_graphics_processor_is_said(tmp_path: Path) -> None:
    """In the plan and by run; more processors than there are is no obstacle."""
    dataset = _dataset(tmp_path, resource_requests={"cpu": 999, "gpu": {"number": 1}})
    plan, run = dataset.tea("plan"), dataset.tea("run", "-y")
    assert "this machine offers no gpu" in plan.out, plan
    assert 0 != run.code
    assert "this machine offers no gpu" in run.err, run
    with_gpu = dataset.tea("-c", 'worker.offers={"gpus": 1}', "plan")
    assert "offers no" not in with_gpu.out
