"""Working trees that are not a plain clone: linked, of a submodule, adjusted, read-only, private."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.cli.dataset import FILES, Dataset, tea


def shout(dataset: Path) -> list[str]:
    """Files with the results of ``shout``."""
    return sorted(path.name for path in (dataset / "shout").glob("*.txt"))


def test_a_linked_working_tree_is_a_dataset(tmp_path: Path) -> None:
    """Its branch gets the results; the first working tree stays as it is."""
    dataset = Dataset(tmp_path / "ds", FILES)
    tree = tmp_path / "tree"
    dataset.do("git", "worktree", "add", "-q", str(tree), "-b", "feature/x")
    before = dataset.do("git", "rev-parse", "main")

    said = tea(tree, "run", "-y", "--here", "shout")

    assert (0, ["a.txt", "b.txt"], []) == (said.code, shout(tree), shout(dataset.path)), said
    assert before == dataset.do("git", "rev-parse", "main")
    assert tea(tree, "lint").code == 0


def test_a_submodule_with_its_repository_elsewhere_is_a_dataset(tmp_path: Path) -> None:
    """``git submodule add`` keeps it below ``.git/modules`` of the superdataset."""
    inner = Dataset(tmp_path / "inner", FILES)
    outer = Dataset(tmp_path / "outer", {"x": "x"})
    add = ("-c", "protocol.file.allow=always", "submodule", "-q", "add")
    outer.do("git", *add, str(inner.path), "sub")

    said = tea(outer.path / "sub", "run", "-y", "shout")

    assert (0, ["a.txt", "b.txt"]) == (said.code, shout(outer.path / "sub")), said


@pytest.mark.long
def test_an_adjusted_branch_takes_no_results(tmp_path: Path) -> None:
    """git-annex could not carry the commit back; nothing runs, and the branch is named."""
    dataset = Dataset(tmp_path / "ds", FILES)
    dataset.do("git", "annex", "adjust", "--unlock")
    before = dataset.do("git", "rev-parse", "HEAD")

    said = dataset.tea("run", "-y")

    assert (1, before, []) == (
        said.code,
        dataset.do("git", "rev-parse", "HEAD"),
        shout(dataset.path),
    )
    assert "adjusted/main(unlocked) is an adjusted branch of git-annex" in said.err
    assert "go to main (git checkout)" in said.err
    assert dataset.tea("plan").code == 0


@pytest.mark.long
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bwrap: apt install bubblewrap")
def test_a_read_only_clone_is_planned_and_not_written(tmp_path: Path) -> None:
    """Where it cannot be written, that is said; it is no bug of tea-runner."""
    dataset = Dataset(tmp_path / "ds", FILES)

    def read_only(*words: str) -> tuple[int, str]:
        argv = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(dataset.path), str(dataset.path)]
        env = {**os.environ, "TEA_RUNNER_SANDBOX__KIND": "off"}
        argv += [sys.executable, "-m", "tea_runner", *words]
        done = process.run(argv, env=env, cwd=dataset.path, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    for words, code, text in (
        (("status",), 0, "missing"),
        (("plan",), 0, "run(new): shout in:a.txt"),
        (("run", "-y"), 1, f"the clone in {dataset.path} cannot be written"),
        (("init", "z"), 1, "Read-only file system"),
    ):
        ended, said = read_only(*words)
        assert (code, True) == (ended, text in said), said
