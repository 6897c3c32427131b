"""Errors: what is wrong and the next step are fields, and one sentence is made of them."""

from __future__ import annotations

from tea_runner.core.errors import ContentMissing, OutsideError, SpecError, TeaError, UserError


def test_problem_and_hint_make_the_message() -> None:
    """A hint follows a semicolon; without one the message is the problem."""
    error = UserError("there is no pipeline edgs", hint="did you mean edges?")

    assert "there is no pipeline edgs; did you mean edges?" == str(error) == error.message
    assert ("there is no pipeline edgs", "did you mean edges?") == (error.problem, error.hint)
    assert ("it broke", "") == (TeaError("it broke").message, TeaError("it broke").hint)


def test_the_docstring_is_the_default_problem() -> None:
    """An error without words has the first line of its class's docstring."""
    assert "Something outside tea-runner failed; it will be tried again." == str(OutsideError())


def test_the_location_of_a_spec_error_is_not_part_of_its_problem() -> None:
    """File, line, column and key come first in the message, and are fields of their own."""
    error = SpecError(
        "it is wrong", hint="mend it", file="a/spec.yml", line=3, column=5, key="salt"
    )

    assert "a/spec.yml:3:5: salt: it is wrong; mend it" == error.message
    assert ("it is wrong", "mend it") == (error.problem, error.hint)
    assert ("a/spec.yml", 3, 5, "salt") == (error.file, error.line, error.column, error.key)
    assert "the pipeline file: it is wrong" == SpecError("it is wrong").message


def test_errors_with_more_fields_take_a_hint() -> None:
    """The keys of missing content are a field beside problem and hint."""
    error = ContentMissing("no content", ("K1",), hint="copy it")

    assert ("no content; copy it", ("K1",)) == (error.message, error.keys)
