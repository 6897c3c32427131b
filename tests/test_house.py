"""House rules that no linter checks: sizes, names, docstrings, imports and tracked files."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.host import process

ROOT = Path(__file__).parents[1]
LONGEST = 400
#: Names that say nothing about a module's content.
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "models", "types", "base"}


def _files(*folders: str) -> Iterator[tuple[str, str]]:
    """Path from the top of the repository, and text, of each Python file."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _documented(text: str) -> Iterator[tuple[int, str]]:
    """Line and first line of each docstring of a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "lineno", 1), docstring.splitlines()[0]


def test_no_file_is_longer_than_400_lines() -> None:
    """A longer file holds more than one noun or verb."""
    lengths = {
        path: text.count("\n")
        for path, text in _files("tea_runner", "workers", "tests", "examples")
    }
    assert len(lengths) > 30
    assert {} == {path: lines for path, lines in lengths.items() if lines > LONGEST}


def test_every_module_has_a_docstring() -> None:
    """The first line of each module's docstring is a sentence."""
    wrong = []
    for path, text in _files("tea_runner", "workers", "tests", "examples"):
        docstring = ast.get_docstring(ast.parse(text))
        if not docstring or not docstring.splitlines()[0].rstrip().endswith((".", "…", ":", "?")):
            wrong.append(path)
    assert [] == wrong


def test_docstrings_say_what_a_thing_is() -> None:
    """No docstring has the form "X in, Y out"."""
    form = re.compile(r"\b(in|out)[;,:] .*\b(out|in)[.:]$")
    wrong = [
        f"{path}:{line} {first}"
        for path, text in _files("tea_runner", "workers")
        for line, first in _documented(text)
        if form.search(first)
    ]
    assert [] == wrong


def test_no_class_name_is_used_twice() -> None:
    """One name stands for one thing in the product; a leading underscore makes no difference."""
    classes = defaultdict(set)
    for path, text in _files("tea_runner", "workers"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                classes[node.name.strip("_")].add(path)
    assert {} == {name: paths for name, paths in classes.items() if len(paths) > 1}


def test_causes_of_errors_are_kept() -> None:
    """No error is raised ``from None``: a log shows where a failure began."""
    wrong = [
        f"{path}:{node.lineno}"
        for path, text in _files("tea_runner", "workers")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Raise)
        and isinstance(node.cause, ast.Constant)
        and node.cause.value is None
    ]
    assert [] == wrong


def test_code_is_formatted_without_exceptions() -> None:
    """No file switches the formatter off."""
    marker = "# fmt" + ":"
    files = _files("tea_runner", "workers", "tests", "benchmarks")
    assert [] == [path for path, text in files if marker in text]


def test_only_one_module_starts_processes() -> None:
    """Only host/process.py imports subprocess, besides the program of run records, which runs alone."""
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
    assert ["tea_runner/host/process.py", "tea_runner/sandbox/rerun_program.py"] == sorted(
        importers
    )


def test_no_module_is_a_drawer_for_everything() -> None:
    """No module has a name such as utils or common."""
    drawers = [
        path for path, _ in _files("tea_runner", "workers") if Path(path).stem in EMPTY_NAMES
    ]
    assert [] == drawers


def test_every_test_says_what_is_true() -> None:
    """The docstring of each test function is the sentence that the test shows to be true."""
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


def test_no_tracked_file_is_empty() -> None:
    """An empty file is an accident of ``git add``; only a marker such as py.typed has a reason."""
    listed = process.run(["git", "ls-files", "-z"], env=os.environ, cwd=ROOT, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    empty = [p.relative_to(ROOT).as_posix() for p in paths if p.is_file() and not p.stat().st_size]
    assert ["tea_runner/py.typed"] == empty


# -- docs/architecture.md ------------------------------------------------------------------------

PAGE = ROOT / "docs" / "architecture.md"


def _contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def _may_import() -> dict[str, set[str]]:
    """Room to the rooms that it may import, by the import contracts."""
    (layers,) = (
        each["layers"] for each in _contracts() if each.get("containers") == ["tea_runner"]
    )
    assert isinstance(layers, list)
    ordered = [[room.strip(" ()") for room in layer.split("|")] for layer in layers]
    allowed = {
        room: {below for layer in ordered[number + 1 :] for below in layer}
        for number, rooms in enumerate(ordered)
        for room in rooms
    }
    allowed["workers"] = set(allowed["web"]) | {"wiring"}
    allowed["cli"].add("workers")
    for each in _contracts():
        if each["type"] == "forbidden":
            for source in each["source_modules"]:  # type: ignore[attr-defined]
                for target in each["forbidden_modules"]:  # type: ignore[attr-defined]
                    room = source.removeprefix("tea_runner.")
                    if room in allowed:
                        allowed[room].discard(target.removeprefix("tea_runner."))
    return allowed


def test_the_table_of_rooms_is_that_of_the_import_contracts() -> None:
    """docs/architecture.md lists each room with exactly the rooms that it may import."""
    rows = re.findall(r"^\| `(\w+)/?` \| .* \| (.*) ?\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    everything = set(_may_import())
    table = {
        room: everything - {room}
        if names.strip() == "every room"
        else set(re.findall(r"`(\w+)`", names))
        for room, names in rows
    }
    assert _may_import() == table


def test_the_files_of_the_architecture_page_exist() -> None:
    """Each file that docs/architecture.md names is in the repository."""
    named = re.findall(r"`((?:tea_runner|workers|tests|deploy)/[\w./-]+)`", PAGE.read_text("utf-8"))
    assert len(named) > 20
    assert [] == [name for name in named if not (ROOT / name).exists()]
