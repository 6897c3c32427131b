"""The wheel, installed in an environment of its own outside any checkout."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

import tea_runner
from tea_runner.host import process

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tea-runner`` of a new environment; dependencies are those of the environment of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = ("-m", "pip", "-q", "--no-input")
    wheel = (*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT))
    process.run([sys.executable, *wheel], env=env, timeout=300)
    (built,) = folder.glob("tea_runner-*.whl")
    process.run([sys.executable, "-m", "venv", str(folder / "venv")], env=env, timeout=300)
    python = folder / "venv" / "bin" / "python"
    process.run([str(python), *pip, "install", "--no-deps", str(built)], env=env, timeout=300)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # Editable packages of that environment are not seen: their .pth files are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent / "tea-runner"


def _run(program: Path, folder: Path, *words: str) -> str:
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    return process.run([str(program), *words], env=env, cwd=folder, timeout=600).stdout.decode()


@pytest.mark.long
def test_the_wheel_has_the_version_of_the_package(program: Path, tmp_path: Path) -> None:
    """The version is written in one place."""
    assert f"tea-runner, version {tea_runner.__version__}\n" == _run(program, tmp_path, "--version")


def test_templates_travel_with_the_wheel(program: Path, tmp_path: Path) -> None:
    """``init`` writes a starter pipeline."""
    process.run(["git", "init", "-q", str(tmp_path)], env=os.environ)
    process.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], env=os.environ, cwd=tmp_path)
    process.run(["git", "annex", "init", "-q"], env=os.environ, cwd=tmp_path)
    assert "write(ok): per-file/spec.yml" in _run(program, tmp_path, "init", "per-file")


@pytest.mark.long
def test_the_demo_runs_outside_a_checkout(program: Path, tmp_path: Path) -> None:
    """The demo's example travels with the wheel; both pushes get their results."""
    pytest.importorskip("cv2")
    shown = _run(program, tmp_path, "-c", f"sandbox.binds={sys.prefix}", "demo")

    assert "edges: 6 done" in shown
    assert "edges: 1 done, 5 reused" in shown
