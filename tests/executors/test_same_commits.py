"""Trees, parents and messages are the same wherever jobs are carried out: one input, one table."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.cli.dataset import FILES, Dataset
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.test_scale_out import start
from tests.executors.dask import dask_cluster
from tests.executors.test_detached_run import DETACH, ended, eventually
from tests.slurm import slurm

pytestmark = pytest.mark.cluster


@dataclass(frozen=True, kw_only=True)
class History:
    """Digests of a branch's whole history; signatures name the repository, which only a server knows."""

    #: Names and contents of all files but signatures, in each commit.
    trees: str
    #: Which commit is the parent of which.
    parents: str
    #: With the place of a commit in the history instead of its id.
    messages: str
    #: The tip, which depends on the signatures.
    commit: str

    @property
    def without_signatures(self) -> tuple[str, str, str]:
        """What must be the same on a server."""
        return self.trees, self.parents, self.messages


def _history(folder: Path) -> History:
    def git(*words: str) -> str:
        return process.run(["git", *words], env=dict(os.environ), cwd=folder).stdout.decode()

    commits = git("rev-list", "--topo-order", "main").split()
    places = {commit: f"commit {place}" for place, commit in enumerate(commits)}

    def placed(text: str) -> str:
        return re.sub(r"[0-9a-f]{40}", lambda found: places.get(found[0], found[0]), text)

    trees = [
        line
        for commit in commits
        for line in [commit, *git("ls-tree", "-r", commit).splitlines()]
        if "/manifest.sig/" not in line
    ]
    parents = [git("show", "-s", "--format=%P", commit) for commit in commits]
    messages = [git("show", "-s", "--format=%B", commit) for commit in commits]
    digests = [
        hashlib.sha256(placed("\n".join(part)).encode()).hexdigest()[:12]
        for part in (trees, parents, messages)
    ]
    return History(trees=digests[0], parents=digests[1], messages=digests[2], commit=commits[0])


def _by_fleet(lab: Lab) -> None:
    """Push, and have planner and workers process it."""
    running = [start(lab, "one", verb) for verb in ("planner", "worker")]
    running.append(start(lab, "two", "worker"))
    try:
        lab.push()
        lab.site("one").plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
        show = ["git", "show", "main:table/table.txt"]
        bare = lab.root / "forge/lab/data.git"
        eventually(lambda: not process.run(show, env=lab.env, cwd=bare, check=False).returncode)
    finally:
        for each in running:
            process.kill(each)
    lab.pull()


def test_the_same_input_gives_the_same_commits_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On local, Slurm, Slurm detached, Dask and the fleet of RQ."""
    lab = folder_lab(tmp_path / "lab")
    lab.create(files={".gitattributes": "* annex.largefiles=nothing\n", **FILES})
    key = {"TEA_RUNNER_TRUST__KEY": str(lab.root / "results_key")}
    table: dict[str, History] = {}

    def run(name: str, *words: str, env: Mapping[str, str] | None = None) -> Dataset:
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(lab.dataset, folder, symlinks=True)
        dataset = Dataset(folder)
        said = dataset.tea(*(words or ("run", "-y")), env={**key, **(env or {})})
        assert 0 == said.code, said
        table[name] = _history(folder)
        return dataset

    try:
        run("local")
        with slurm(tmp_path / "cluster") as cluster:
            run("slurm", "run", "-y", "--executor", "slurm", env=cluster.variables)
            name = "slurm detached"
            dataset = run(name, *DETACH, env=cluster.variables)
            assert 0 == ended(dataset, cluster)
            table[name] = _history(dataset.path)
        with dask_cluster(tmp_path / "nodes") as address:
            run("dask", "run", "-y", "--executor", f"dask://{address}")
        _by_fleet(lab)
        table["fleet of RQ"] = _history(lab.dataset)
    finally:
        lab.close()
    lines = [f"{'executor':16}{'trees':14}{'parents':14}{'messages':14}tip"]
    lines += [
        f"{name:16}{row.trees:14}{row.parents:14}{row.messages:14}{row.commit[:12]}"
        for name, row in table.items()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert 5 == len(table)
    assert 1 == len({row.without_signatures for row in table.values()})
    # Without a server the commits are the same to the last bit.
    assert 1 == len({row.commit for name, row in table.items() if name != "fleet of RQ"})
