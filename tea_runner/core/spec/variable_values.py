"""Values of a pipeline's variables: their types, and the one form of each value that keys have."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from tea_runner.core.errors import UserError
from tea_runner.core.pipeline import Variable

#: Longest value, in characters.
LONGEST = 1000

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class ValueProblem(ValueError):
    """The text is no value of the variable; the message says what was expected."""


def read_value(variable: Variable, text: str) -> str:
    """A value in the form that keys have: ``007`` is ``7``, and ``2.50`` is ``2.5``.

    :raises ValueProblem: when it is none of the variable's type.
    """
    shown = repr(text if len(text) <= 40 else f"{text[:40]}…")
    if len(text) > LONGEST or _CONTROL.search(text):
        raise ValueProblem(f"expected at most {LONGEST} characters in one line, got {shown}")
    if variable.type == "integer":
        if not _INTEGER.fullmatch(text):
            raise ValueProblem(f"expected a whole number, got {shown}")
        return str(int(text))
    if variable.type == "number":
        return _number(text, shown)
    if variable.type == "boolean" and text not in ("true", "false"):
        raise ValueProblem(f"expected true or false, got {shown}")
    if variable.type == "choice" and text not in variable.options:
        raise ValueProblem(f"expected {' or '.join(variable.options)}, got {shown}")
    return text


def _number(text: str, shown: str) -> str:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueProblem(f"expected a number, got {shown}")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def read_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Values by name from texts ``NAME=VALUE``, as of ``--var``.

    :raises UserError: when a text has another form, or two have the same name.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UserError(f"{text[:40]!r} sets no variable", hint="write NAME=VALUE")
        if name in found:
            raise UserError(f"variable {name} is set twice", hint="set it once")
        found[name] = value
    return found


def check_values(
    pipeline: str, variables: Iterable[Variable], given: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """The values that a person gives for a pipeline, in the form that keys have, sorted by name.

    :raises UserError: when a variable is not declared, or a value is none of its type.
    """
    declared = {variable.name: variable for variable in variables}
    found = []
    for name, text in sorted(given.items()):
        variable = declared.get(name)
        if variable is None:
            there = f"it has {', '.join(declared)}" if declared else "its file declares none (vars)"
            raise UserError(f"pipeline {pipeline} has no variable {name[:63]}", hint=there)
        try:
            found.append((name, read_value(variable, text)))
        except ValueProblem as error:
            raise UserError(f"variable {name} of pipeline {pipeline}: {error}") from error
    return tuple(found)


def still_valid(
    variables: Iterable[Variable], given: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Those of once given values that the pipeline file still allows, sorted by name."""
    found = []
    for variable in variables:
        if variable.name in given:
            try:
                found.append((variable.name, read_value(variable, given[variable.name])))
            except ValueProblem:
                continue
    return tuple(sorted(found))


def all_values(variables: Iterable[Variable], given: Mapping[str, str]) -> dict[str, str]:
    """The value of each variable: the given one, or its default."""
    return {each.name: given.get(each.name, each.default) for each in variables}
