"""The page about clusters, followed on a real Slurm and a real Dask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import FILES, Dataset
from tests.docs.page import Reader, follow
from tests.executors.dask import dask_cluster
from tests.executors.test_detached_run import eventually
from tests.slurm import slurm

pytestmark = pytest.mark.cluster


def test_the_page_runs_pipelines_on_both(tmp_path: Path) -> None:
    """Slurm computes the first results, waited for and not, and Dask those of a changed input."""
    reader = Reader(tmp_path / "home")
    dataset = Dataset(reader.folder, FILES)
    reader.env["TEA_RUNNER_SANDBOX__KIND"] = "off"
    with slurm(tmp_path / "slurm") as cluster, dask_cluster(tmp_path / "dask") as address:
        reader.env |= cluster.variables

        def run_on_dask(text: str) -> None:
            dataset.save({"raw/b.txt": "changed\n"})
            reader.say(text.replace("127.0.0.1:8786", address))

        def run_detached(text: str) -> None:
            dataset.save({"raw/b.txt": "detached\n"})
            reader.say(text)
            eventually(lambda: "DETACHED" in (dataset.path / "table/table.txt").read_text())

        def install_hooks(text: str) -> None:
            reader.say(text)
            reader.say("tea-runner watch install --remove")

        given = {
            "tea-runner run -y --executor dask://127.0.0.1:8786": run_on_dask,
            "tea-runner run -y --executor slurm --detach": run_detached,
            "tea-runner watch install -y --to slurm": install_hooks,
        }
        said = follow("docs/how-to/run-on-a-cluster.md", reader, between=given)

    assert "run(ok): shout [2 done]" in said["tea-runner run -y --executor slurm"]
    assert "AA\nCHANGED\n" == (dataset.path / "table/table.txt").read_text()
