"""Variables of pipeline files: their types, and the form of their values in keys."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import UserError
from tea_runner.core.pipeline import Variable
from tea_runner.core.spec.parse import parse_specs
from tea_runner.core.spec.variable_values import (
    check_values,
    read_assignments,
    read_value,
    still_valid,
)

_FILE = """\
pipeline: {name: yearly}
input: {pfs: {repo: raw, glob: "/*"}}
transform: {cmd: [sh, -c, "true"]}
vars:
"""


def problems(*lines: str) -> list[str]:
    """The problems of a pipeline with these variables."""
    text = _FILE + "".join(f"- {line}\n" for line in lines)
    return [each.message for each in parse_specs("spec.yml", text.encode()).problems]


def test_declared_variables_are_read() -> None:
    """With their types, and defaults in the form of keys; what is true for YAML is text here."""
    text = _FILE + (
        "- {name: year, type: integer, default: 02026, description: 'Which year.'}\n"
        "- {name: full, type: boolean, default: true}\n"
        "- {name: mode, type: choice, options: [fast, good], default: fast}\n"
        "- {name: note, default: ''}\n"
    )
    found = parse_specs("spec.yml", text.encode())
    assert () == found.problems
    assert (
        Variable(name="year", type="integer", default="2026", description="Which year."),
        Variable(name="full", type="boolean", default="true"),
        Variable(name="mode", type="choice", options=("fast", "good"), default="fast"),
        Variable(name="note"),
    ) == found.pipelines[0].variables


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{name: year, type: integer, default: soon}", "expected a whole number, got 'soon'"),
        ("{name: a, type: choice, default: b}", "a choice has no options"),
        ("{name: a, options: [b], default: b}", "options needs type: choice"),
        ("{name: a, type: choice, options: [b], default: c}", "expected b, got 'c'"),
        ("{name: raw, default: b}", "raw is the name of an input already"),
        ("{name: PATH, default: b}", "variable PATH is reserved for the system"),
        ("{name: 1a, default: b}", "variable name '1a' is not valid: use letters, digits and _"),
        ("{name: a}", "default is missing"),
        (
            "{name: a, type: text, default: b}",
            "expected string or integer or number or boolean or ",
        ),
    ],
)
def test_what_cannot_be_a_variable_is_an_error(line: str, problem: str) -> None:
    """Each in one sentence."""
    assert [True] == [each.startswith(problem) for each in problems(line)], problems(line)


def test_a_name_is_declared_once() -> None:
    """Also not as another type."""
    assert ["a is the name of another variable already"] == problems(
        "{name: a, default: b}", "{name: a, type: integer, default: 1}"
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "+007", "7"),
        ("integer", "-0", "0"),
        ("number", "2.50", "2.5"),
        ("number", "2.0", "2"),
        ("number", "1e-3", "0.001"),
        ("boolean", "true", "true"),
        ("string", " a=b ", " a=b "),
        ("string", "", ""),
    ],
)
def test_a_value_has_one_form(kind: str, text: str, value: str) -> None:
    """Equal values give equal keys."""
    assert value == read_value(Variable(name="a", type=kind), text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "\u0661"),
        ("integer", ""),
        ("integer", "1" * 19),
        ("number", "nan"),
        ("number", "1e999"),
        ("number", "0x1"),
        ("boolean", "yes"),
        ("string", "a\nb"),
        ("string", "a\0b"),
        ("string", "a" * 1001),
        ("string", "\udc80"),
    ],
)
def test_another_type_is_refused(kind: str, text: str) -> None:
    """In a sentence that names pipeline and variable."""
    variable = Variable(name="a", type=kind)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^variable a of pipeline p: expected"):
        check_values("p", [variable], {"a": text})


def test_what_is_not_declared_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(UserError, match=r"^pipeline p has no variable b; it has a$"):
        check_values("p", [Variable(name="a")], {"b": "1"})
    with pytest.raises(UserError, match="declares none"):
        check_values("p", [], {"b": "1"})


def test_values_that_a_file_allows_no_more_do_not_count() -> None:
    """A former value of a variable that is gone, or of another type now."""
    now = [Variable(name="a", type="integer", default="1"), Variable(name="b")]
    assert (("b", "x"),) == still_valid(now, {"a": "text", "b": "x", "c": "y"})


def test_assignments_are_read() -> None:
    """The first = divides; each variable is set once."""
    assert {"a": "b=c", "d": ""} == read_assignments(["a=b=c", "d="])
    for wrong in (["a"], ["=b"], ["a=1", "a=2"]):
        with pytest.raises(UserError):
            read_assignments(wrong)
