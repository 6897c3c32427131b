"""Checks of the variables that a pipeline file declares."""

from __future__ import annotations

from typing import Literal, cast

from tea_runner.core.pipeline import Variable
from tea_runner.core.spec.field_reader import ParsedMapping, SpecReader
from tea_runner.core.spec.forbidden_variables import variable_problem
from tea_runner.core.spec.variable_values import ValueProblem, read_value

#: Most variables of one pipeline.
MOST = 50


def check_variables(reader: SpecReader, mapping: ParsedMapping, inputs: set[str]) -> None:
    """Check the variables of one pipeline.

    :param inputs: names of its inputs, which are variables of the command as well.
    """
    env = mapping.mapping("transform").values.get("env", {})
    assert isinstance(env, dict)
    taken = {**dict.fromkeys(env, "transform.env"), **dict.fromkeys(inputs, "an input")}
    declared = mapping.mappings("vars")
    if len(declared) > MOST:
        text = f"{len(declared)} variables, more than the limit of {MOST}"
        reader.report("error", mapping.place("vars"), "vars", text, "use fewer")
    for each in declared:
        name = each.text("name")
        problem = variable_problem(name) if name else ""
        if not problem and name in taken:
            problem = f"{name} is the name of {taken[name]} already"
        taken[name] = "another variable"
        if problem:
            hint = "give the variable another name"
            reader.report("error", each.place("name"), each.key("name"), problem, hint)
        _check_one(reader, each)


def _check_one(reader: SpecReader, mapping: ParsedMapping) -> None:
    variable = make_variable(mapping)
    if (variable.type == "choice") != bool(variable.options):
        choice = variable.type == "choice"
        reader.report(
            "error",
            mapping.place("type" if choice else "options"),
            mapping.key("options"),
            "a choice has no options" if choice else "options needs type: choice",
            "list its values" if choice else "write type: choice, or remove them",
        )
    elif "default" in mapping.values:
        try:
            read_value(variable, mapping.text("default"))
        except ValueProblem as error:
            reader.report("error", mapping.place("default"), mapping.key("default"), str(error))


def make_variable(mapping: ParsedMapping) -> Variable:
    """The variable that a mapping of a pipeline file describes."""
    kind = cast(
        Literal["string", "integer", "number", "boolean", "choice"],
        mapping.text("type", "string"),
    )
    variable = Variable(
        name=mapping.text("name"),
        type=kind,
        options=mapping.texts("options"),
        description=mapping.text("description"),
        default=mapping.text("default"),
    )
    try:
        default = read_value(variable, variable.default)
    except ValueProblem:
        return variable
    return Variable(
        name=variable.name,
        type=kind,
        options=variable.options,
        description=variable.description,
        default=default,
    )
