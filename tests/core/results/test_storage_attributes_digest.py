"""Digests of attributes are equal if outputs are stored in the same form."""

from __future__ import annotations

from tea_runner.core.results.storage_attributes_digest import (
    OutputAttributes,
    attributes_digest,
    needs_content,
)


def _judged(directory: str, expression: str, backend: str = "MD5E") -> list[OutputAttributes]:
    return [
        OutputAttributes(path, f"{directory}/{path}", expression, backend) for path in ("a", "b")
    ]


def test_the_place_does_not_matter_where_rules_look_at_content() -> None:
    """The same expression and backend are the same rule in any directory."""
    for expression in (
        "unspecified",
        "anything",
        "nothing",
        "largerthan=1kb",
        "mimeencoding=binary",
    ):
        assert attributes_digest(_judged("one", expression)) == attributes_digest(
            _judged("two", expression)
        )


def test_another_expression_or_backend_is_another_rule() -> None:
    """Both decide how an output is saved."""
    first = attributes_digest(_judged("one", "anything"))
    assert first != attributes_digest(_judged("one", "nothing"))
    assert first != attributes_digest(_judged("one", "anything", "SHA256E"))


def test_the_place_matters_where_rules_look_at_names() -> None:
    """``include`` and ``exclude`` match paths."""
    for expression in ("include=one/*", "(largerthan=1kb)and(exclude=*.txt)"):
        assert attributes_digest(_judged("one", expression)) != attributes_digest(
            _judged("two", expression)
        )


def test_the_order_of_outputs_does_not_matter() -> None:
    """A rule is about a set of files."""
    judged = _judged("one", "anything")
    assert attributes_digest(judged) == attributes_digest(reversed(judged))


def test_mime_rules_ask_for_content() -> None:
    """All others are answered by name and size."""
    assert needs_content("mimeencoding=binary")
    assert not needs_content("largerthan=1kb")
