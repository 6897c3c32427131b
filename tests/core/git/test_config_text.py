"""Files in the format of git's configuration are read as git reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.git.config_text import ConfigValue, parse_config
from tea_runner.host import process

FILES = [
    b'[submodule "a"]\n path = a ; raw data\n url = ../a.git # mirror\n',
    b'[submodule "a"] path = a\n url = ../a.git\n',
    b'[SUBMODULE "A b"]\n\tPath = "a b" c\n\tURL="x;y"\n',
    b'[submodule "a\\"b\\\\c"]\npath=a\\\nb\\tc\\\\d\n',
    b"[submodule.Old]\npath = old\n[core]bare\n",
    b"\xef\xbb\xbf[a]\r\nx = 1\r\ny = two words  \r\n",
    b'[a]\nx = "with # inside" # outside\n# comment\n; comment\n   [b]\nx=\n',
    b"[a-b.c]\nsome-key = v\n",
]


def as_git(data: bytes, folder: Path) -> list[tuple[str, str]] | None:
    """Names and values as ``git config --list`` tells them; None when git refuses the file."""
    file = folder / "config"
    file.write_bytes(data)
    argv = ["git", "config", "-z", "--file", str(file), "--list"]
    done = process.run(argv, env=os.environ, check=False)
    if done.returncode:
        return None
    rows = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return [(name, value) for name, _, value in (row.partition("\n") for row in rows)]


def as_ours(data: bytes) -> list[tuple[str, str]]:
    """The same, as we read them."""
    return [
        (".".join(filter(None, (each.section, each.subsection, each.name))), each.value)
        for each in parse_config(data)
    ]


@pytest.mark.parametrize("data", FILES)
def test_files_are_read_as_git_reads_them(tmp_path: Path, data: bytes) -> None:
    """Comments, quotes, escapes, continued lines, capital letters, a key beside its section."""
    expected = as_git(data, tmp_path)

    assert expected is not None
    assert expected == as_ours(data)


PIECES = st.lists(
    st.sampled_from(
        [
            "[a]",
            '[a "B"]',
            "[A.b]",
            "\n",
            "\r\n",
            " ",
            "\t",
            "x",
            "y-z",
            "=",
            '"',
            "\\",
            "\\n",
            "#",
            ";",
        ]
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(pieces=PIECES)
def test_what_git_accepts_is_read_alike(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    """Whatever the layout is; what git refuses raises nothing here."""
    data = "".join(pieces).encode()
    ours = as_ours(data)
    expected = as_git(data, tmp_path_factory.getbasetemp())

    if expected is not None:
        # git before 2.45 makes a blank of each tab in a value that is not quoted.
        assert _blanks(expected) == _blanks(ours)


def _blanks(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value.replace("\t", " ").replace("\r", " ")) for name, value in rows]


def test_a_value_knows_its_subsection() -> None:
    """Names of sections and keys have no case, those of subsections do."""
    found = list(parse_config(b'[DataLad "containers.X"]\nImage = a.sif\n'))

    assert [ConfigValue("datalad", "containers.X", "image", "a.sif")] == found
