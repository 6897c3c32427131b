"""The bytes of a pipeline file in, its documents as nodes that know their line and column out.

YAML is read as a tree of text: nothing becomes a number, a date or a boolean here, so that ``no``,
``017`` and ``12:30:45`` stay what was written until the field's own type reads them.  Refused:
anchors, aliases and tags (they can grow without bound, or name code), keys given twice, keys that
are no text, and files too large, too deep or too many-leaved to be meant for a person.
JSON is read in the same way; several documents may follow one another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import yaml

LARGEST = 64 * 1024
DEEPEST = 20
MOST_NODES = 10_000
MOST_DOCUMENTS = 100

# libyaml's parser where PyYAML was built with it: the same events, a hundred times faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1; column 0 is the whole line."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """Text as it was written; *plain* where it had no quotes."""

    mark: Mark
    text: str
    plain: bool = False

    @property
    def is_null(self) -> bool:
        """Nothing, as YAML and JSON say it."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping; each key with the place where it stands."""

    mark: Mark
    values: dict[str, Node] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)


Node = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """Something that is wrong with the text itself."""

    mark: Mark
    message: str
    hint: str = ""
    #: Dotted path of the field.
    key: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    mark: Mark
    root: Node


@dataclass(frozen=True, slots=True)
class Documents:
    """What was understood, and what is wrong."""

    documents: tuple[Document, ...]
    faults: tuple[YamlProblem, ...]


class _Stop(Exception):
    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.fault = YamlProblem(mark, message, hint)


def read_documents(data: bytes) -> Documents:
    """All documents of a file with all faults that can be found in one pass.

    After a fault of the syntax itself nothing more is read.
    """
    reader = _NodeReader()
    try:
        text = _decode(data)
        for line, part in _parts(text):
            reader.line = line
            reader.read(part)
    except _Stop as stop:
        reader.faults.append(stop.fault)
    return Documents(tuple(reader.documents), tuple(reader.faults))


def _decode(data: bytes) -> str:
    if len(data) > LARGEST:
        raise _Stop(
            Mark(1),
            f"the file is larger than 64 KiB ({len(data)} bytes)",
            "split it into several pipeline files",
        )
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _Stop(Mark(1, 1), "the file begins with a byte order mark", "save it as plain UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _mark_at(data[: error.start].decode("utf-8", "replace"))
        raise _Stop(mark, "the file is not UTF-8 text", "save it as UTF-8") from error
    found = _CONTROL.search(text)
    if found:
        mark = _mark_at(text[: found.start()])
        raise _Stop(mark, f"a control character ({found[0]!r}) in the file", "remove it")
    return text


def _mark_at(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The text and the lines before it; in pieces where it is JSON objects in a row."""
    if not text.lstrip().startswith("{"):
        yield 0, text
        return
    decoder = json.JSONDecoder(parse_int=str)
    ends = [0]
    try:
        # One more than is allowed is enough to say so.
        while text[ends[-1] :].strip() and len(ends) <= MOST_DOCUMENTS + 1:
            start = len(text) - len(text[ends[-1] :].lstrip())
            ends.append(decoder.raw_decode(text, start)[1])
    except (ValueError, RecursionError):
        # YAML in braces, or not JSON at all; YAML's reader says what is wrong and where.
        yield 0, text
        return
    for start, end in pairwise(ends):
        before = text[:start]
        # Columns stay right: what stood before on the line becomes spaces.
        indent = " " * (start - before.rfind("\n") - 1)
        part = _SURROGATES.sub(_join_surrogates, text[start:end])
        yield before.count("\n"), indent + part


def _join_surrogates(pair: re.Match[str]) -> str:
    number = ((int(pair[1], 16) - 0xD800) << 10) + int(pair[2], 16) - 0xDC00 + 0x10000
    return f"\\U{number:08x}"


class _Place(Protocol):
    """A mark as YAML's parsers give it, counted from 0."""

    line: int
    column: int
    #: Characters before it.
    index: int


class _NodeReader:
    """Events of YAML's parser into nodes; without recursion, so that depth costs nothing."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.faults: list[YamlProblem] = []
        self.line = 0
        self.nodes = 0
        self.stack: list[SequenceNode | MappingNode] = []
        self.keys: list[tuple[str, Mark] | None] = []
        self.paths: list[str] = []

    def _mark(self, place: _Place | None) -> Mark:
        return Mark(place.line + 1 + self.line, place.column + 1) if place else Mark(1)

    def read(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                self._event(event)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error, text) from error
        except yaml.YAMLError as error:
            raise _Stop(Mark(1 + self.line), f"this is not YAML: {error}") from error

    def _syntax(self, error: yaml.MarkedYAMLError, text: str) -> _Stop:
        place = error.problem_mark or error.context_mark
        mark = self._mark(place)
        problem = (error.problem or "cannot be read").strip()
        if "nesting depth" in problem and place:
            # The parser looks ahead and meets a bound of its own before it tells of the first bracket:
            # what stands before the place where it gave up is read for ours.
            again = _NodeReader()
            again.line = self.line
            again.read(text[: place.index])
        lines = text.split("\n")
        line = lines[place.line] if place and place.line < len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
            return _Stop(mark, "a tab is used for indentation", "use spaces")
        context = f" ({error.context.strip()})" if error.context else ""
        return _Stop(mark, f"this is not YAML: {problem}{context}")

    def _event(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.start = self._mark(event.start_mark)
            self.root: Node | None = None
        elif isinstance(event, yaml.DocumentEndEvent):
            root = self.root
            if len(self.documents) >= MOST_DOCUMENTS:
                raise _Stop(
                    self.start, f"the file has more than {MOST_DOCUMENTS} documents", "split it"
                )
            if root is not None and not (isinstance(root, ScalarNode) and root.is_null):
                self.documents.append(Document(root.mark, root))
        elif isinstance(event, yaml.AliasEvent):
            mark = self._mark(event.start_mark)
            self._fault(mark, f"an alias (*{event.anchor})", "write the value out")
            self._place(ScalarNode(mark, "", plain=True))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self.stack.pop()
            self.keys.pop()
            self.paths.pop()
        elif isinstance(event, (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._node(event)

    def _fault(self, mark: Mark, what: str, hint: str) -> None:
        message = f"{what} is not allowed in a pipeline file"
        self.faults.append(YamlProblem(mark, message, hint, self._path()))

    def _path(self) -> str:
        """Dotted path of the value that is being read."""
        if not self.stack:
            return ""
        node, key, path = self.stack[-1], self.keys[-1], self.paths[-1]
        if isinstance(node, SequenceNode):
            return f"{path}[{len(node.items)}]"
        name = key[0] if key else ""
        return f"{path}.{name}" if path and name else path or name

    def _node(self, event: Any) -> None:
        mark = self._mark(event.start_mark)
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _Stop(mark, f"the file has more than {MOST_NODES} values", "split it")
        if event.anchor is not None:
            self._fault(
                mark, f"an anchor (&{event.anchor})", "write the value out where it is used"
            )
        if event.tag is not None:
            self._fault(mark, f"a tag ({event.tag})", "remove it; types follow from the field")
        if isinstance(event, yaml.ScalarEvent):
            # A plain text with a tag is text: the tag has been refused already.
            self._place(ScalarNode(mark, event.value, plain=not event.style))
            return
        if len(self.stack) >= DEEPEST:
            raise _Stop(mark, f"the file is nested deeper than {DEEPEST}", "flatten it")
        node = (
            SequenceNode(mark) if isinstance(event, yaml.SequenceStartEvent) else MappingNode(mark)
        )
        path = self._path()
        self._place(node)
        self.stack.append(node)
        self.paths.append(path)
        self.keys.append(None)

    def _place(self, node: Node) -> None:
        """Put a node where it belongs: into the list, as a key, or as a key's value."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, SequenceNode):
            parent.items.append(node)
            return
        key = self.keys[-1]
        if key is None:
            self.keys[-1] = (self._key(node), node.mark)
            return
        name, mark = key
        if name in parent.values:
            message = f"key {name!r} is given twice, first in line {parent.marks[name].line}"
            self.faults.append(YamlProblem(mark, message, "keep one", self._path()))
        else:
            parent.values[name] = node
            parent.marks[name] = mark
        self.keys[-1] = None

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise _Stop(node.mark, "a key must be text, not a list or a mapping", "quote it")
        if node.text == "<<" and node.plain:
            self._fault(node.mark, "a merge key (<<)", "write the keys out")
        return node.text
