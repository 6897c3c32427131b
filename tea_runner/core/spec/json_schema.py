"""Generate the JSON Schema for editors and the reference page of pipeline files.

Both are in the repository (``docs/reference/pipeline.schema.json``, ``docs/reference/spec.md``); a
test compares them with the generated ones and prints the command that writes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tea_runner.core.glob.matcher import MAX_LENGTH
from tea_runner.core.spec.field import Field
from tea_runner.core.spec.fields import OLD, TOP
from tea_runner.core.spec.input_fields import INPUT

_TEXT: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_SHAPES: dict[str, dict[str, Any]] = {
    "text": _TEXT,
    "texts": {"type": "array", "items": _TEXT},
    "named texts": {"type": "object", "additionalProperties": _TEXT},
    "number": {"type": "integer", "minimum": 0},
    "numbers": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
    "cpu": {"type": ["number", "string"]},
    "boolean": {"type": "boolean"},
    "duration": {"type": "string", "pattern": "^([0-9]+(\\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$"},
    "bytes": {"type": ["string", "integer"]},
    "value": _TEXT,
    "inputs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/input"}},
    "anything": {},
}


def json_schema() -> str:
    """The JSON Schema of one document of a pipeline file: a pipeline, or a list of them."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A pipeline of tea-runner",
        "$comment": "Made from tea_runner/core/spec/fields.py; do not edit.",
        **_object(TOP, input_by_reference=True),
        "type": ["object", "array"],
        "items": {"$ref": "#"},
        "$defs": {"input": {**_object(INPUT), "minProperties": 1, "maxProperties": 1}},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _object(fields: Sequence[Field], *, input_by_reference: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    spellings = []
    for known in fields:
        if known.support == "refused":
            continue
        made = _property(known)
        if input_by_reference and known.name == "input":
            made = {"description": known.about, "$ref": "#/$defs/input"}
        properties[known.name] = made
        if known.camel != known.name:
            # The spelling of Pachyderm's JSON; editors need not offer both.
            properties[known.camel] = {**made, "doNotSuggest": True}
        if known.required:
            spellings.append(known)
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if spellings:
        found["required"] = [known.name for known in spellings]
    return found


def _property(known: Field) -> dict[str, Any]:
    about = known.about
    if known.note and known.support != "renamed":
        about += f" ({known.note})"
    if known.support == "renamed":
        about = f"an older name of {known.note}"
    made: dict[str, Any] = {"description": about}
    if known.support in ("ignored", "renamed"):
        made["deprecated"] = True
    if known.choices:
        return {**made, "enum": list(known.choices)}
    if known.name == "glob":
        return {**made, "type": "string", "minLength": 1, "maxLength": MAX_LENGTH}
    if known.shape == "mapping":
        return {**made, **(_object(known.fields) if known.fields else {"type": "object"})}
    if known.shape == "mappings":
        return {**made, "type": "array", "items": _object(known.fields)}
    return {**made, **_SHAPES[known.shape]}


_SUPPORT = {
    "works": "works",
    "differs": "works, with a difference",
    "ignored": "accepted with a warning",
    "refused": "refused",
    "renamed": "accepted with a warning",
}


_GLOBS = (
    ("/", "everything, as one datum"),
    ("*", "any number of characters except `/`"),
    ("**", "any number of characters, including `/`"),
    ("?", "one character except `/`"),
    ("[a-z]", "one of these; `[!a-z]` or `[^a-z]` one other character, including `/`"),
    ("[[:digit:]]", "a class by name, as in POSIX"),
    ("{a,b*}", "one of these"),
    ("(a|b)", "one of these, captured; also `@(a|b)`"),
    ("*(a|b)", "any number of these, captured as a whole; `+( )` at least one, `?( )` at most one"),
    ("!(a|b)", "anything but these, captured"),
    ("\\*", "the character itself"),
)


def spec_reference() -> str:
    """The reference page of all fields, in Markdown."""
    rows = list(_rows(TOP, ""))
    ours = [row for row in rows if row[1].ours]
    theirs = [row for row in rows if not row[1].ours]
    lines = [
        "# Fields of a pipeline file",
        "",
        "Made from `tea_runner/core/spec/fields.py` by a test; do not edit.",
        "",
        "A pipeline file is called `spec.yml`, `spec.yaml` or `spec.json`.",
        "A file of one of these names with neither `pipeline` nor `transform` is left out; "
        "a file `.tea-ignore` hides its folder.",
        "It contains a pipeline, several in documents of their own, or a list of pipelines; each of several",
        "has the folder of its name beside the file.",
        "Field names may be written as here or as in Pachyderm's JSON (`datumTries`).",
        "Editors complete and check it with [pipeline.schema.json](pipeline.schema.json).",
        "",
        "## Pachyderm's fields",
        "",
        "| Field | Written as | Meaning | Default | Here |",
        "| --- | --- | --- | --- | --- |",
        *(_line(path, known) for path, known in theirs),
        "",
        "## Fields of tea-runner's own",
        "",
        "| Field | Written as | Meaning | Default |",
        "| --- | --- | --- | --- |",
        *(_line(path, known, ours=True) for path, known in ours),
        "",
        "## How values are written",
        "",
        "| Kind | Written as |",
        "| --- | --- |",
        "| text | anything; unquoted `no`, `017` and `12:30:45` are text here, but quote them |",
        "| number | a whole number without leading zeros |",
        "| boolean | `true` or `false`, also in the other spellings of YAML 1.1 (`True`, `no`) |",
        "| duration | numbers with units: `90s`, `1h30m`, `500ms` |",
        "| bytes | a number with a suffix: `512M` or `512MB` (1000s), `2Gi` or `2GiB` (1024s) |",
        "| cpu | `2`, `0.5`, or `500m` for thousandths |",
        "",
        "Anchors, aliases, tags, keys with two values and files over 64 KiB are refused.",
        "",
        "## How globs are written",
        "",
        "A glob is matched against each file and each directory below the input's `repo`.",
        "It must match the whole path; a matching directory is a datum with all files below it.",
        "`..` removes the part before it, and must not lead out of the input.",
        "",
        "| Written | Matches |",
        "| --- | --- |",
        *(_row(f"`{written}`", matches) for written, matches in _GLOBS),
        "",
        "`join_on`, `group_by`, `output.path` and `outputs` are templates: `$1` or `${1}` is the",
        "first capture, counted by opening parentheses, `$0` the whole path, `$$` a dollar sign.",
        "",
        f"A glob has at most {MAX_LENGTH} characters.",
        "A glob whose matches take too long (20 ms for one path, or 10 s in all) is refused.",
    ]
    return "\n".join(lines) + "\n"


def _rows(
    fields: Sequence[Field], path: str, within: Field | None = None
) -> Iterator[tuple[str, Field]]:
    """Dotted path and field, depth first; fields inside an ignored field are ignored too."""
    for known in fields:
        here = f"{path}.{known.name}" if path else known.name
        if known.shape == "mappings":
            here += "[]"
        if within is not None and known.support == "works":
            known = replace(known, support="ignored", note=within.note)
        if not (known.fields and known.support == "works" and known.shape == "mapping"):
            yield here, known
        idle = known if known.support == "ignored" else None
        yield from _rows(known.fields, here, within or idle)


def _line(path: str, known: Field, *, ours: bool = False) -> str:
    kind = " or ".join(f"`{choice}`" for choice in known.choices) or known.shape
    if known.shape in ("inputs", "mapping", "mappings", "anything"):
        kind = {"inputs": "list of inputs", "mapping": "fields", "mappings": "list of fields"}.get(
            known.shape, "anything"
        )
    default = "required" if known.required else known.default
    cells = [f"`{path}`", kind, known.about, default]
    if not ours:
        said = _SUPPORT[known.support]
        note = f"write `{known.note}`" if known.support == "renamed" else known.note
        old = " (old)" if path in OLD or known.support == "renamed" else ""
        cells.append(f"{said}{old}{': ' + note if note else ''}")
    return _row(*cells)


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"
