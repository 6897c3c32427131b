"""The rules of the house that no linter knows: sizes, names, docstrings, who starts processes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 400
#: Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "models", "types", "base"}


def _files(*folders: str) -> Iterator[tuple[str, str]]:
    """Path from the top of the repository, and text, of each Python file."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    """A file of more than 400 lines holds more than one noun or verb."""
    lengths = {
        path: text.count("\n")
        for path, text in _files("tea_runner", "workers", "tests", "examples")
    }
    assert len(lengths) > 30
    assert {} == {path: lines for path, lines in lengths.items() if lines > LONGEST}


def test_every_module_says_what_it_is() -> None:
    """Each module begins with a docstring whose first line is a sentence."""
    silent = []
    for path, text in _files("tea_runner", "workers", "tests", "examples"):
        said = ast.get_docstring(ast.parse(text))
        if not said or not said.splitlines()[0].rstrip().endswith((".", "…", ":", "?")):
            silent.append(path)
    assert [] == silent


def test_only_one_module_starts_processes() -> None:
    """Nothing but host/process.py imports subprocess."""
    importers = []
    for path, text in _files("tea_runner", "workers"):
        for node in ast.walk(ast.parse(text)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if "subprocess" in names:
                importers.append(path)
    assert ["tea_runner/host/process.py"] == importers


def test_no_module_is_a_drawer_for_everything() -> None:
    """No module has a name such as utils or common."""
    drawers = [
        path for path, _ in _files("tea_runner", "workers") if Path(path).stem in EMPTY_NAMES
    ]
    assert [] == drawers


def test_every_test_says_what_is_true() -> None:
    """Each test function has a docstring: the sentence that it shows to be true."""
    silent = []
    for path, text in _files("tests"):
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ):
                silent.append(f"{path}:{node.lineno} {node.name}")
    assert [] == silent
