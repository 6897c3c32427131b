"""YAML and JSON nodes with their positions, and refused syntax."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.spec.yaml_nodes import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    read_documents,
)


def plain(node: Node) -> object:
    """A node without its places."""
    if isinstance(node, ScalarNode):
        return node.text
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.values.items()}


def read(text: str) -> list[object]:
    """The documents of a text without any fault."""
    found = read_documents(text.encode())
    assert () == found.problems
    return [plain(document.root) for document in found.documents]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: no", [{"a": "no"}]),
        ("a: 017", [{"a": "017"}]),
        ("a: 12:30:45", [{"a": "12:30:45"}]),
        ("a: 2026-13-45", [{"a": "2026-13-45"}]),
        ("a: 1_000", [{"a": "1_000"}]),
        ("no: a", [{"no": "a"}]),
        ("a: ~\nb:", [{"a": "~", "b": ""}]),
        ("a: |\n  x\n  y\n", [{"a": "x\ny\n"}]),
        ("a: 1\n---\nb: 2\n", [{"a": "1"}, {"b": "2"}]),
        ("---\na: 1\n...\n", [{"a": "1"}]),
        ("a: 1\n---\n# nothing\n", [{"a": "1"}]),
        ("", []),
        ("# only a comment\n", []),
        ('{"a": [1, true, null]}', [{"a": ["1", "true", "null"]}]),
        ('{"a": 1}\n{"b": 2}', [{"a": "1"}, {"b": "2"}]),
        ('{"a":\n\t"\\ud83d\\ude00\\/"}', [{"a": "\U0001f600/"}]),
        ("{a: b, c: [d]}", [{"a": "b", "c": ["d"]}]),
        ('{"a": 1,}', [{"a": "1"}]),
    ],
)
def test_everything_is_text(text: str, expected: list[object]) -> None:
    """Nothing becomes a number, a date or a boolean, in YAML and in JSON."""
    assert expected == read(text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\na: 2", (2, 1, "key 'a' is given twice, first in line 1")),
        (b"a: !!python/object/apply:os.system x", (1, 4, "a tag (tag:yaml.org,2002:python/")),
        (b"a: !x y", (1, 4, "a tag (!x)")),
        (b"a: &x 1", (1, 4, "an anchor (&x)")),
        (b"a: 1\nb: *x", (2, 4, "an alias (*x)")),
        (b"a:\n  <<: {b: 1}", (2, 3, "a merge key (<<)")),
        (b"a:\n\tb: 1", (2, 1, "the line is indented with a tab")),
        (b"a: x\x00", (1, 5, "a control character ('\\x00')")),
        (b"a: \xe4", (1, 4, "the file is not UTF-8 text")),
        (b"\xef\xbb\xbfa: 1", (1, 1, "the file begins with a byte order mark")),
        (b"a: " + b"x" * 65536, (1, 0, "the file has 65539 bytes; at most 64 KiB are allowed")),
        (b"[" * 5000, (1, 21, "the file is nested deeper than 20")),
        (b'{"a": ' * 30, (1, 121, "the file is nested deeper than 20")),
        (b"[" + b"1," * 10_001 + b"]", (1, 20_000, "the file has more than 10000 values")),
        (b"{}" * 200, (1, 201, "the file has more than 100 documents")),
        (b"---\na\n" * 200, (201, 1, "the file has more than 100 documents")),
        (b"[a]: 1", (1, 1, "a key must be text")),
        (b"a: b: c", (1, 5, "invalid YAML: mapping values are not allowed")),
        (b"a: [1, 2", (2, 1, "invalid YAML: did not find expected")),
        (b'a: "x', (1, 6, "invalid YAML: found unexpected end of stream")),
        (b'{"a": 1 "b": 2}', (1, 12, "invalid YAML: did not find expected ',' or '}'")),
        (b'{"a": 1}\n{"b": 2, "b": 3}', (2, 10, "key 'b' is given twice")),
    ],
)
def test_a_fault_is_named_with_its_place(data: bytes, expected: tuple[int, int, str]) -> None:
    """Line and column from 1, and what is wrong."""
    fault = read_documents(data).problems[0]
    line, column, message = expected
    assert (line, column) == (fault.mark.line, fault.mark.column)
    assert fault.message.startswith(message)


def test_a_fault_names_its_field() -> None:
    """The dotted path of the value that is at fault."""
    faults = read_documents(b"a: {b: [1, {c: !x y}]}\nd: {e: 1, e: 2}").problems
    assert ["a.b[1].c", "d.e"] == [fault.key for fault in faults]


def test_an_alias_bomb_is_no_bomb() -> None:
    """Nothing is expanded; each alias is one fault."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    began = time.process_time()
    found = read_documents("\n".join(lines).encode())
    assert 30 + 29 * 9 == len(found.problems)
    assert time.process_time() - began < 2


def test_nodes_know_their_places() -> None:
    """Keys and values, also in the second document of a JSON file."""
    first, second = read_documents(b'{"a": 1}\n {"b":\n  2}').documents
    assert isinstance(first.root, MappingNode)
    assert isinstance(second.root, MappingNode)
    assert (1, 2) == (first.root.marks["a"].line, first.root.marks["a"].column)
    assert (2, 3) == (second.root.marks["b"].line, second.root.marks["b"].column)
    assert (3, 3) == (second.root.values["b"].mark.line, second.root.values["b"].mark.column)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text("abc:-[]{}&*!|>'\"#\n\t ,", max_size=60).map(str.encode))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """Whatever the bytes: documents or faults, never another error."""
    found = read_documents(data)
    assert all(fault.mark.line >= 1 and fault.message for fault in found.problems)
