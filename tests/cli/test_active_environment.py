"""The terminal's Python environment: what is said of it, and that the advice works."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tea_runner.cli.active_environment import active_environment_note
from tea_runner.host import process
from tests.cli.dataset import FILES, Dataset

SPEC = (
    FILES["table/spec.yml"]
    .replace("repo: shout", "repo: raw")
    .replace(
        "cat $PFS/in/* >$PFS/out/table.txt", "python3 -c 'import only_here' && touch $PFS/out/x"
    )
)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with a module of its own."""
    folder = tmp_path / "my env"
    process.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], env={"PATH": "/usr/bin:/bin"}
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "only_here.py").write_text("")
    return folder


@pytest.mark.long
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bwrap: apt install bubblewrap")
def test_the_words_that_are_given_show_the_environment(tmp_path: Path, environment: Path) -> None:
    """Without them the command does not find the module; with them it does, and nothing is said."""
    dataset = Dataset(tmp_path / "ds", {"raw/a.txt": "a", "table/spec.yml": SPEC})
    env = {"VIRTUAL_ENV": str(environment), "TEA_RUNNER_SANDBOX__KIND": "bwrap"}

    said = dataset.tea("run", "-y", env=env)
    (note,) = (line for line in said.err.splitlines() if line.startswith("note: "))
    assert (1, True) == (said.code, f"active environment {environment}," in note), said

    words = shlex.split(note.partition(" with: ")[2])
    again = dataset.tea(*words[1:], "-y", env=env)
    assert (0, False) == (again.code, "note: " in again.err), again

    plan = (*words[1:-1], "plan")
    assert "nothing to do" in dataset.tea(*plan, env=env).out.lower()
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "numpy-2.0.dist-info").mkdir()
    assert "run(environment-changed)" in dataset.tea(*plan, env=env).out


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, ""),
        ({"VIRTUAL_ENV": sys.prefix}, ""),
        ({"VIRTUAL_ENV": "/nowhere"}, ""),
        ({"CONDA_PREFIX": "/usr"}, "/usr/bin:/bin"),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_show(
    variables: dict[str, str], path: str
) -> None:
    """No environment, tea-runner's own, one that is gone, one that is shown."""
    assert "" == active_environment_note(variables, path, ())
