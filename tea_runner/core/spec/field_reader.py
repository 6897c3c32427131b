"""Read YAML nodes by the table of fields into typed values with positions, and collect problems.

This module handles types, unknown keys, and fields that are ignored, renamed or refused; the meaning
of a pipeline is checked in ``document_checks`` and ``input_checks``.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from tea_runner.core.spec import scalars
from tea_runner.core.spec.field import Field
from tea_runner.core.spec.fields import OLD, TOP
from tea_runner.core.spec.input_fields import INPUT
from tea_runner.core.spec.problem import Kind, Problem
from tea_runner.core.spec.scalars import ScalarError
from tea_runner.core.spec.yaml_nodes import MappingNode, Mark, Node, ScalarNode, SequenceNode

MAX_SUGGESTIONS = 30
#: What is said of fields that are for a cluster only.
FOR_CLUSTERS = "they are for Kubernetes; workers are configured where they are started"
_SCALARS: dict[str, Callable[[str], object]] = {
    "number": scalars.number,
    "boolean": scalars.boolean,
    "cpu": scalars.processors,
    "duration": scalars.duration,
    "bytes": scalars.amount,
    "value": str,
}


@dataclass(frozen=True, slots=True)
class ParsedMapping:
    """A mapping of the file with typed values; fields that are not in the file are absent."""

    path: str
    mark: Mark
    values: dict[str, object] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """Dotted path of one of its fields."""
        return f"{self.path}.{name}" if self.path else name

    def place(self, name: str) -> Mark:
        """Position of a field, or of the mapping if the field is absent."""
        return self.marks.get(name, self.mark)

    def text(self, name: str, default: str = "") -> str:
        """A text, or the default if it is absent."""
        found = self.values.get(name, default)
        assert isinstance(found, str)
        return found

    def flag(self, name: str) -> bool:
        """A boolean; false if it is absent."""
        return bool(self.values.get(name, False))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of text; empty if it is absent."""
        found = self.values.get(name, ())
        assert isinstance(found, tuple)
        return found

    def integer(self, name: str) -> int | None:
        """A whole number, or None."""
        found = self.values.get(name)
        assert found is None or isinstance(found, int)
        return found

    def number(self, name: str) -> float | None:
        """A number of seconds or processors, or None."""
        found = self.values.get(name)
        assert found is None or isinstance(found, (int, float))
        return found

    def mapping(self, name: str) -> ParsedMapping:
        """A mapping; empty if it is absent."""
        found = self.values.get(name)
        return (
            found
            if isinstance(found, ParsedMapping)
            else ParsedMapping(self.key(name), self.place(name))
        )

    def mappings(self, name: str) -> tuple[ParsedMapping, ...]:
        """A list of mappings."""
        found = self.values.get(name, ())
        assert isinstance(found, tuple)
        return found


class SpecReader:
    """Reads the nodes of one file and collects its problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.unknown = 0
        #: Ignored fields of the document that are for a cluster only.
        self._cluster: list[Problem] = []

    def report(self, kind: Kind, mark: Mark, key: str, message: str, hint: str = "") -> None:
        """Add a problem."""
        self.problems.append(
            Problem(
                kind=kind,
                file=self.file,
                line=mark.line,
                column=mark.column,
                key=key,
                message=message,
                hint=hint,
            )
        )

    def read_mapping(self, node: Node, fields: Sequence[Field], path: str = "") -> ParsedMapping:
        """Read the fields of a mapping."""
        filled = ParsedMapping(path, node.mark)
        if not isinstance(node, MappingNode):
            self.report("error", node.mark, path, _expected("a mapping of fields", node))
            return filled
        table = _table(tuple(fields))
        is_refused = False
        for written, value in node.values.items():
            mark = node.marks[written]
            known = table.get(written)
            if known is None:
                self._unknown(written, mark, filled, table)
                continue
            if known.support == "renamed":
                target = table[known.note]
                self.report(
                    "deprecation",
                    mark,
                    filled.key(written),
                    f"{written} is an older name of {target.name}",
                    f"write {target.name}",
                )
                known = replace(target, support="works")
            if known.name in filled.marks:
                first = filled.marks[known.name].line
                self.report(
                    "error",
                    mark,
                    filled.key(written),
                    f"{known.name} is given twice, first in line {first}",
                    "keep one",
                )
                continue
            filled.marks[known.name] = mark
            is_refused |= known.support == "refused" and not _is_off(known, value)
            if not _is_null(value):
                self._read_field(filled, known, value, mark)
            elif known.required:
                self.report(
                    "error",
                    mark,
                    filled.key(known.name),
                    f"{known.name} is empty",
                    f"set it: {known.about}",
                )
        # A field that is refused, such as spout, may be the reason for one that is missing.
        for known in fields if not is_refused else ():
            if known.required and known.name not in filled.marks:
                self.report(
                    "error",
                    node.mark,
                    filled.key(known.name),
                    f"{known.name} is missing",
                    f"add {known.name}: ({known.about})",
                )
        return filled

    def _unknown(
        self, written: str, mark: Mark, filled: ParsedMapping, table: dict[str, Field]
    ) -> None:
        if written == "<<":
            return  # reported already: merge keys are refused
        self.unknown += 1
        if self.unknown > MAX_SUGGESTIONS or len(written) > 64:
            # Suggestions take time, and this many do not help.
            self.report("error", mark, filled.path, f"unknown key {written[:64]!r}")
            return
        useful = [name for name, known in table.items() if known.support in ("works", "differs")]
        near = difflib.get_close_matches(written, useful, 1, 0.55)
        places = _places().get(written, ())
        if places:
            hint = f"it belongs {_where(places[0])}"
        elif near:
            hint = f"did you mean {near[0]!r}?"
        elif elsewhere := difflib.get_close_matches(written, _places(), 1, 0.65):
            hint = f"did you mean {elsewhere[0]!r} {_where(_places()[elsewhere[0]][0])}?"
        else:
            hint = f"valid here are {', '.join(_names(table))}"
        self.report("error", mark, filled.key(written), f"unknown key {written!r}", hint)

    def _read_field(self, filled: ParsedMapping, known: Field, node: Node, mark: Mark) -> None:
        key = filled.key(known.name)
        if known.support in ("refused", "ignored") and _is_off(known, node):
            return
        if known.support == "refused":
            self.report("error", mark, key, f"{known.name} is not available", known.note)
            return
        if known.support == "ignored":
            self._report_ignored(known, mark, key)
            if known.compared and isinstance(node, ScalarNode):
                # A value that cannot be read is as good as none.
                with contextlib.suppress(ScalarError):
                    filled.values[known.name] = _SCALARS[known.shape](node.text)
            if not known.fields:
                return
        value = self._value(known, node, key)
        if value is not None:
            filled.values[known.name] = value

    def _report_ignored(self, known: Field, mark: Mark, key: str) -> None:
        kind: Kind = "deprecation" if key in OLD else "ignored"
        self.report(kind, mark, key, f"{known.name} has no effect", known.note)
        if known.cluster:
            self._cluster.append(self.problems.pop())

    def end_document(self, first: int, pipeline: str) -> None:
        """Finish the problems of a document: their pipeline, and one for all fields of a cluster.

        :param first: number of problems before the document.
        """
        alone, self._cluster = self._cluster, []
        if alone:
            names = tuple(dict.fromkeys(_cluster_field(each.key) for each in alone))
            one = replace(alone[0], cluster_fields=names)
            if len(alone) > 1:
                verb = "have" if len(names) > 1 else "has"
                text = f"{', '.join(names)} {verb} no effect"
                one = replace(one, kind="ignored", message=text, hint=FOR_CLUSTERS)
            self.problems.append(one)
        self.problems[first:] = [replace(each, pipeline=pipeline) for each in self.problems[first:]]

    def _value(self, known: Field, node: Node, key: str) -> object:
        shape = known.shape
        if shape == "mapping":
            return self.read_mapping(node, known.fields, key)
        if shape == "inputs":
            return self._list(node, key, lambda item, at: self.read_mapping(item, INPUT, at))
        if shape == "mappings":
            return self._list(node, key, lambda item, at: self.read_mapping(item, known.fields, at))
        if shape == "texts":
            return self._list(node, key, self._text)
        if shape == "numbers":
            return self._list(node, key, lambda item, at: self._scalar(scalars.number, item, at))
        if shape == "named texts":
            return self._named(node, key)
        if shape == "text":
            text = self._text(node, key)
            if text is not None and known.choices and text not in known.choices:
                near = difflib.get_close_matches(text, known.choices, 1)
                hint = f"did you mean {near[0]!r}?" if near else ""
                expected = f"expected {' or '.join(known.choices)}, got {text!r}"
                self.report("error", node.mark, key, expected, hint)
                return None
            return text
        return self._scalar(_SCALARS[shape], node, key)

    def _scalar(self, read: Callable[[str], object], node: Node, key: str) -> object:
        if not isinstance(node, ScalarNode):
            self.report("error", node.mark, key, _expected("one value", node))
            return None
        try:
            return read(node.text)
        except ScalarError as error:
            self.report("error", node.mark, key, str(error))
            return None

    def _text(self, node: Node, key: str) -> str | None:
        if not isinstance(node, ScalarNode):
            self.report("error", node.mark, key, _expected("text", node))
            return None
        if "\0" in node.text:
            self.report("error", node.mark, key, "the text contains a NUL character", "remove it")
            return None
        if node.plain and not node.text:
            self.report("error", node.mark, key, "the item is empty", 'write "" for empty text')
            return None
        if node.plain and scalars.is_pitfall(node.text):
            self.report(
                "warning",
                node.mark,
                key,
                f"{node.text} is text here, but not for every YAML parser",
                f'write "{node.text}"',
            )
        return node.text

    def _list(
        self, node: Node, key: str, read: Callable[[Node, str], object]
    ) -> tuple[object, ...] | None:
        if not isinstance(node, SequenceNode):
            hint = _as_list(node.text, key) if isinstance(node, ScalarNode) and node.text else ""
            self.report("error", node.mark, key, _expected("a list", node), hint)
            return None
        values = [read(item, f"{key}[{index}]") for index, item in enumerate(node.items)]
        return tuple(value for value in values if value is not None)

    def _named(self, node: Node, key: str) -> dict[str, str] | None:
        if not isinstance(node, MappingNode):
            self.report("error", node.mark, key, _expected("a mapping of names to text", node))
            return None
        found = {}
        for name, value in node.values.items():
            text = "" if _is_null(value) else self._text(value, f"{key}.{name}")
            if text is not None:
                found[name] = text
        return found


def _cluster_field(key: str) -> str:
    """The name of a field in a list: resources as a whole, others with their path."""
    top = key.partition(".")[0]
    return top if top.startswith("resource_") else key


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.is_null


def _is_off(known: Field, node: Node) -> bool:
    """Whether the value disables the field.

    An empty mapping disables nothing that is refused: ``spout: {}`` is the usual form.
    """
    if isinstance(node, ScalarNode):
        return node.is_null or node.text in ("", "0") or scalars.is_false(node.text)
    if isinstance(node, SequenceNode):
        return not node.items
    return not node.values and known.support == "ignored"


def _where(path: str) -> str:
    return f"in {path}" if path else "at the top level"


def _as_list(text: str, key: str) -> str:
    words = text.split() if key.endswith("cmd") else text.splitlines()
    return f"write {json.dumps(words[:10], ensure_ascii=False)}" if len(words) <= 10 else ""


def _expected(what: str, node: Node) -> str:
    got = {ScalarNode: "text", SequenceNode: "a list", MappingNode: "a mapping"}[type(node)]
    if isinstance(node, ScalarNode):
        got = repr(node.text[:40]) if node.text else "an empty value"
    return f"expected {what}, got {got}"


@cache
def _table(fields: tuple[Field, ...]) -> dict[str, Field]:
    """The fields by name, in both spellings."""
    return {name: known for known in fields for name in (known.camel, known.name)}


def _names(table: dict[str, Field]) -> list[str]:
    useful = ("works", "differs")
    return list(dict.fromkeys(k.name for k in table.values() if k.support in useful))


@cache
def _places() -> dict[str, tuple[str, ...]]:
    """The dotted paths of the mappings that have a field, by the field's name."""
    found: dict[str, list[str]] = {}

    def walk(fields: Iterable[Field], path: str) -> None:
        for known in fields:
            if known.support in ("works", "differs"):
                found.setdefault(known.name, []).append(path)
                found.setdefault(known.camel, []).append(path)
            walk(known.fields, f"{path}.{known.name}" if path else known.name)

    walk(TOP, "")
    return {name: tuple(dict.fromkeys(paths)) for name, paths in found.items()}
