"""Files go into the annex or into git exactly as with ``datalad save`` in a clone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.core.results.largefiles import backend, encoding, simple
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

FILES = {
    "plain.txt": b"text\n",
    ".hidden": b"text\n",
    "dir/.sub/x": b"text\n",
    "empty": b"",
    "latin1.txt": "größe\n".encode("latin-1"),
    "utf8.txt": "größe\n".encode(),
    "utf16.txt": "\ufeffgröße\n".encode("utf-16"),
    "nul.bin": b"a\0b\0" * 20,
    "control.txt": b"a\x1b[1mb\x1b[0m\n",
    "long.txt": "ä".encode() * 70000,
}
BINARY = "((mimeencoding=binary)and(largerthan=0))"


def saved(path: Path, expression: str) -> dict[str, bool]:
    """Which files ``datalad save`` annexes under a rule."""
    env = {**os.environ, "PATH": tool_path(os.environ)}

    def do(*argv: str) -> bytes:
        return bytes(process.run(argv, env=env, cwd=path).stdout)

    do("datalad", "-l", "error", "create", "-f", ".")
    if expression != "unspecified":
        (path / ".gitattributes").write_text(f"* annex.largefiles={expression}\n")
    do("datalad", "-l", "error", "save", "-m", "rules")
    for name, data in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    do("datalad", "-l", "error", "save", "-m", "files")
    rows = do("git", "ls-tree", "-r", "-z", "HEAD").decode().split("\0")
    modes = {row.split("\t")[1]: row.startswith("120000") for row in rows if row}
    return {name: modes[name] for name in FILES}


@pytest.mark.parametrize("expression", ["anything", "nothing"])
def test_plain_rules_are_those_of_datalad(tmp_path: Path, expression: str) -> None:
    """Every file, hidden ones included, goes where ``datalad save`` puts it."""
    assert saved(tmp_path, expression) == {name: simple(expression) for name in FILES}


def test_without_a_rule_files_go_where_datalad_puts_them(tmp_path: Path) -> None:
    """No rule at all: the same as ``datalad save``, so that a rerun changes nothing."""
    ours = {name: simple("unspecified") for name in FILES}
    assert saved(tmp_path, "unspecified") == ours


def test_binary_is_what_git_annex_finds_binary(tmp_path: Path) -> None:
    """DataLad's text2git rule parts text from the rest as our reading of encodings does."""
    ours = {name: bool(data) and "binary" == encoding(data[:65536]) for name, data in FILES.items()}
    assert saved(tmp_path, BINARY) == ours


def test_other_rules_have_to_be_evaluated() -> None:
    """Anything that is more than a word is left to git-annex."""
    assert simple(BINARY) is None
    assert simple("largerthan=1kb") is None


def test_a_file_has_its_own_backend_or_the_datasets() -> None:
    """``annex.backend`` of the file counts, and else the dataset's."""
    assert ["MD5E", "SHA1", "MD5E"] == [
        backend("unspecified", "MD5E"),
        backend("SHA1", "MD5E"),
        backend("", "MD5E"),
    ]
