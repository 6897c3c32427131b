"""One text of a pipeline file is replaced, and nothing else."""

from __future__ import annotations

import pytest

from tea_runner.core.spec.edit_value import replace_text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "transform:\n  image: a:1  # mine\n  cmd: [x]\n",
            'transform:\n  image: "b"  # mine\n  cmd: [x]\n',
        ),
        ("transform: {image: 'a:1', cmd: [x]}\n", 'transform: {image: "b", cmd: [x]}\n'),
        ('{"transform": {"image" :"a:1"}}', '{"transform": {"image" :"b"}}'),
        ("transform:\n  image:\n    a:1\n", 'transform:\n  image:\n    "b"\n'),
        ("é: 1\ntransform: {ü: é, image: a:1}", 'é: 1\ntransform: {ü: é, image: "b"}'),
    ],
)
def test_a_text_is_replaced_where_it_stands(before: str, after: str) -> None:
    """In YAML and JSON, with comments, quotes and lines as they were."""
    assert after.encode() == replace_text(before.encode(), 0, "transform.image", "b")


def test_the_document_counts() -> None:
    """Of several documents, or of a list, the one with this number."""
    text = "transform: {image: a}\n---\ntransform: {image: a}\n"
    expected = 'transform: {image: a}\n---\ntransform: {image: "b"}\n'
    assert expected.encode() == replace_text(text.encode(), 1, "transform.image", "b")
    listed = '[{"transform": {"image": "a"}},\n {"transform": {"image": "a"}}]'
    expected = '[{"transform": {"image": "a"}},\n {"transform": {"image": "b"}}]'
    assert expected.encode() == replace_text(listed.encode(), 1, "transform.image", "b")


@pytest.mark.parametrize("text", ["transform: {cmd: [x]}", "transform:\n  image: >\n    a\n", "x"])
def test_what_cannot_be_replaced(text: str) -> None:
    """A field that is not there, or in a form of several lines."""
    assert replace_text(text.encode(), 0, "transform.image", "b") is None
