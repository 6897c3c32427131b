"""Whether two places save the same outputs in the same form, from their attributes alone."""

from __future__ import annotations

from tea_runner.core.results.storage_rules import Judged, asks_for_content, rule


def _judged(directory: str, expression: str, backend: str = "MD5E") -> list[Judged]:
    return [Judged(path, f"{directory}/{path}", expression, backend) for path in ("a", "b")]


def test_the_place_does_not_matter_where_rules_look_at_content() -> None:
    """The same expression and backend are the same rule in any directory."""
    for expression in (
        "unspecified",
        "anything",
        "nothing",
        "largerthan=1kb",
        "mimeencoding=binary",
    ):
        assert rule(_judged("one", expression)) == rule(_judged("two", expression))


def test_another_expression_or_backend_is_another_rule() -> None:
    """Both decide how an output is saved."""
    first = rule(_judged("one", "anything"))
    assert first != rule(_judged("one", "nothing"))
    assert first != rule(_judged("one", "anything", "SHA256E"))


def test_the_place_matters_where_rules_look_at_names() -> None:
    """``include`` and ``exclude`` match paths."""
    for expression in ("include=one/*", "(largerthan=1kb)and(exclude=*.txt)"):
        assert rule(_judged("one", expression)) != rule(_judged("two", expression))


def test_the_order_of_outputs_does_not_matter() -> None:
    """A rule is about a set of files."""
    judged = _judged("one", "anything")
    assert rule(judged) == rule(reversed(judged))


def test_mime_rules_ask_for_content() -> None:
    """All others are answered by name and size."""
    assert asks_for_content("mimeencoding=binary")
    assert not asks_for_content("largerthan=1kb")
