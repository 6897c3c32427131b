"""Run records: DataLad's own parser reads them, whatever they contain."""

from __future__ import annotations

import os
import shlex
from typing import Any

import pytest
from datalad.local.rerun import get_run_info
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.results.run_record import (
    CHAIN_ENTRIES,
    Record,
    escape,
    escape_path,
    exec_command,
    format_record,
    format_summary,
    group_size,
    parse_record,
    parse_trailers,
)

text = st.text(
    st.one_of(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.sampled_from('{}"\\\n^='),
    )
)
paths = st.lists(text.filter(bool), max_size=3).map(tuple)
record = st.builds(
    Record,
    title=text,
    command=text,
    inputs=paths,
    extra_inputs=paths,
    outputs=paths,
    exit=st.integers(0, 255),
    dataset_id=st.sampled_from(["", "7f0e"]),
    trailers=st.sampled_from([(), (("Tea-Pipeline", "p"), ("Tea-Key", "k"))]),
)


@given(record)
def test_datalad_reads_every_record(one: Record) -> None:
    """DataLad's parser finds the command, the paths and the exit code, and nothing of ours."""
    message = format_record(one)
    title, found = get_run_info(None, message)

    assert found is not None
    assert one.command == found["cmd"]
    assert sorted(map(escape_path, one.outputs)) == found["outputs"]
    assert (one.exit, ".", []) == (found["exit"], found["pwd"], found["chain"])
    assert found == parse_record(message)
    assert dict(one.trailers).items() <= parse_trailers(message).items()
    assert title is not None


@given(st.lists(text.filter(bool), min_size=1, max_size=3), st.sampled_from(["p", "a-b"]))
def test_a_command_survives_datalads_formatting_and_the_shell(labels: list[str], name: str) -> None:
    """After DataLad has put its placeholders in and a shell has cut words, labels are as they were."""
    command = exec_command("1" * 40, 2, name, labels)

    assert labels == shlex.split(command.format(inputs="I", outputs="O"))[-len(labels) :]


@pytest.mark.parametrize("path", ["a b", "{x}", "[1].txt", "a*b?", "ä'\"", "{inputs}"])
def test_a_path_survives_datalads_formatting_and_globbing(tmp_path: Any, path: str) -> None:
    """DataLad expands what stands in the record to exactly the file that was meant."""
    from datalad.support.globbedpaths import GlobbedPaths

    for name in (path, "1.txt", "axbc", "x"):
        (tmp_path / name).touch()
    said = escape_path(path).format(inputs="x")

    assert [path] == GlobbedPaths([said], pwd=os.fspath(tmp_path)).expand()


def test_braces_are_doubled() -> None:
    """Only braces: the rest of a command is the shell's."""
    assert "a {{b}} $c" == escape("a {b} $c")


@pytest.mark.parametrize(
    "message", ["", "words", "[DATALAD RUNCMD] x", format_summary("t", "b", [])]
)
def test_what_is_no_record_is_none(message: str) -> None:
    """Other messages, cut ones, and summaries carry no record."""
    assert parse_record(message) is None


def test_a_summary_carries_trailers() -> None:
    """Title, body, trailers; the last of a name counts."""
    message = format_summary("title", "body", [("Tea-Input", "1"), ("Tea-Input", "2")])

    assert message.startswith("title\n\nbody\n\nTea-Input: 1\n")
    assert {"Tea-Input": "2"} == parse_trailers(message)


@given(st.integers(0, 3_000_000))
def test_groups_keep_the_chain_cheap(datums: int) -> None:
    """Single records up to 500 datums; then so many in each that all trees together stay bounded."""
    size = group_size(datums)
    groups = -(-datums // size)

    assert 1 <= size
    assert size == 1 if datums <= 500 else size > 1
    assert groups * datums <= CHAIN_ENTRIES or groups <= 1
