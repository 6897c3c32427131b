"""`make demo` on machines that lack something: one line that says what, and what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tea_runner.host.process import run

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def _machine(place: Path, programs: dict[str, str]) -> dict[str, str]:
    """A PATH with a shell's everyday programs and *programs*, each a shell script's text."""
    shelf = place / "bin"
    shelf.mkdir()
    for name in ("sh", "sed", "cat", "rm", "make", "grep", "tail", "touch"):
        (shelf / name).symlink_to(str(shutil.which(name)))
    for name, text in programs.items():
        (shelf / name).write_text(f"#!/bin/sh\n{text}\n")
        (shelf / name).chmod(0o755)
    return {"PATH": str(shelf), "HOME": str(place / "home")}


def _complaint(place: Path, programs: dict[str, str]) -> str:
    """What `make demo` says before it gives up; fails when it does not."""
    checkout = place / "checkout"
    checkout.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    done = run(["make", "demo"], env=_machine(place, programs), cwd=checkout, check=False)
    assert done.returncode != 0
    assert sorted(os.listdir(checkout)) == ["Makefile", "pyproject.toml"]
    lines = done.stderr.decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("make: *** "))


def test_an_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    """Where python3 is older than 3.11, one line says which version was found."""
    old = 'case $1 in --version) echo "Python 3.9.2";; *) exit 1;; esac'
    said = _complaint(tmp_path, {"python3": old, "git": "exit 0"})
    assert (
        "make: Python 3.11 or newer is needed; found: Python 3.9.2. "
        "Next: apt install python3 python3-venv, or make PYTHON=/path/to/python3"
    ) == said


def test_a_missing_git_is_named(tmp_path: Path) -> None:
    """Where git is missing, one line says so, before anything is made."""
    said = _complaint(tmp_path, {"python3": "exit 0"})
    assert "make: git is needed and is not on PATH. Next: apt install git" == said


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    """Debian's python3 comes without ensurepip: the line names the package that brings it."""
    bare = "case $2 in *ensurepip*) exit 1;; esac"
    said = _complaint(tmp_path, {"python3": bare, "git": "exit 0"})
    python = tmp_path / "bin" / "python3"
    assert (
        f"make: {python} cannot make virtual environments. Next: apt install python3-venv" == said
    )
