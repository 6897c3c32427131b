"""Parse YAML and JSON into trees of text nodes with their line and column.

Scalars stay text: nothing becomes a number, a date or a boolean here, so that ``no``, ``017`` and
``12:30:45`` are unchanged until the field's own type parses them.  Refused are anchors, aliases and
tags (they can grow without bound, or name code), duplicate keys, keys that are not text, and files
that are too large, too deep or have too many values.
JSON is parsed in the same way; a file may contain several documents, also as the items of a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import yaml

MAX_BYTES = 64 * 1024
MAX_NESTING = 20
MAX_NODES = 10_000
MAX_DOCUMENTS = 100

# libyaml's parser if PyYAML was built with it: the same events, a hundred times faster.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file, counted from 1; column 0 is the whole line."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A scalar as it was written; *plain* if it was not quoted."""

    mark: Mark
    text: str
    plain: bool = False

    @property
    def is_null(self) -> bool:
        """Whether it is null in YAML or JSON."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping, with the position of each key."""

    mark: Mark
    values: dict[str, Node] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)


Node = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """A problem of the text itself."""

    mark: Mark
    message: str
    hint: str = ""
    #: Dotted path of the field.
    key: str = ""
    #: Whether the file means one thing all the same.
    is_harmless: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    mark: Mark
    root: Node


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a file, and its problems."""

    documents: tuple[Document, ...]
    problems: tuple[YamlProblem, ...]


class _Stop(Exception):
    """A problem after which parsing ends."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.problem = YamlProblem(mark, message, hint)


def read_documents(data: bytes) -> Documents:
    """All documents of a file, and all problems that one pass can find.

    Parsing ends at the first syntax error.
    """
    reader = _NodeReader()
    try:
        text = _decode(data)
        for line, part in _parts(text):
            reader.line = line
            reader.read(part)
    except _Stop as stop:
        reader.problems.append(stop.problem)
    return Documents(tuple(reader.documents), tuple(reader.problems))


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _Stop(
            Mark(1),
            f"the file has {len(data)} bytes; at most 64 KiB are allowed",
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
    """The text with the number of lines before it; split if it is a sequence of JSON values."""
    if not text.lstrip().startswith(("{", "[")):
        yield 0, text
        return
    decoder = json.JSONDecoder(parse_int=str)
    ends = [0]
    try:
        # One more than allowed is enough to report it.
        while text[ends[-1] :].strip() and len(ends) <= MAX_DOCUMENTS + 1:
            start = len(text) - len(text[ends[-1] :].lstrip())
            ends.append(decoder.raw_decode(text, start)[1])
    except (ValueError, RecursionError):
        # YAML flow style, or malformed JSON; the YAML parser reports the problem and its position.
        yield 0, text
        return
    for start, end in pairwise(ends):
        before = text[:start]
        # Spaces replace what precedes on the line, so that columns stay correct.
        indent = " " * (start - before.rfind("\n") - 1)
        part = _SURROGATES.sub(_join_surrogates, text[start:end])
        yield before.count("\n"), indent + part


def _join_surrogates(pair: re.Match[str]) -> str:
    number = ((int(pair[1], 16) - 0xD800) << 10) + int(pair[2], 16) - 0xDC00 + 0x10000
    return f"\\U{number:08x}"


class _YamlMark(Protocol):
    """A position from the YAML parser, counted from 0."""

    line: int
    column: int
    #: Number of characters before it.
    index: int


class _NodeReader:
    """Builds nodes from the YAML parser's events, without recursion."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.problems: list[YamlProblem] = []
        self.line = 0
        self.nodes = 0
        self.stack: list[SequenceNode | MappingNode] = []
        self.keys: list[tuple[str, Mark] | None] = []
        self.paths: list[str] = []

    def _mark(self, mark: _YamlMark | None) -> Mark:
        return Mark(mark.line + 1 + self.line, mark.column + 1) if mark else Mark(1)

    def read(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                self._event(event)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error, text) from error
        except yaml.YAMLError as error:
            raise _Stop(Mark(1 + self.line), f"invalid YAML: {error}") from error

    def _syntax(self, error: yaml.MarkedYAMLError, text: str) -> _Stop:
        place = error.problem_mark or error.context_mark
        mark = self._mark(place)
        problem = (error.problem or "cannot be read").strip()
        if "nesting depth" in problem and place:
            # libyaml reports its own limit before any event; parse the text before that position
            # again to report our limit.
            retry = _NodeReader()
            retry.line = self.line
            retry.read(text[: place.index])
        lines = text.split("\n")
        line = lines[place.line] if place and place.line < len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
            return _Stop(mark, "the line is indented with a tab", "use spaces")
        context = f" ({error.context.strip()})" if error.context else ""
        return _Stop(mark, f"invalid YAML: {problem}{context}")

    def _event(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.start = self._mark(event.start_mark)
            self.root: Node | None = None
        elif isinstance(event, yaml.DocumentEndEvent):
            root = self.root
            for item in root.items if isinstance(root, SequenceNode) else (root,):
                if len(self.documents) >= MAX_DOCUMENTS:
                    raise _Stop(
                        self.start, f"the file has more than {MAX_DOCUMENTS} documents", "split it"
                    )
                if item is not None and not (isinstance(item, ScalarNode) and item.is_null):
                    self.documents.append(Document(item.mark, item))
        elif isinstance(event, yaml.AliasEvent):
            mark = self._mark(event.start_mark)
            self._report(mark, f"an alias (*{event.anchor})", "write the value out")
            self._add(ScalarNode(mark, "", plain=True))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self.stack.pop()
            self.keys.pop()
            self.paths.pop()
        elif isinstance(event, (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._node(event)

    def _report(self, mark: Mark, what: str, hint: str) -> None:
        message = f"{what} is not allowed in a pipeline file"
        self.problems.append(YamlProblem(mark, message, hint, self._path()))

    def _path(self) -> str:
        """Dotted path of the current value."""
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
        if self.nodes > MAX_NODES:
            raise _Stop(mark, f"the file has more than {MAX_NODES} values", "split it")
        if event.anchor is not None:
            self._report(
                mark, f"an anchor (&{event.anchor})", "write the value out where it is used"
            )
        if event.tag is not None:
            self._report(mark, f"a tag ({event.tag})", "remove it; types follow from the field")
        if isinstance(event, yaml.ScalarEvent):
            # A tag does not change the value: it has been refused already.
            self._add(ScalarNode(mark, event.value, plain=not event.style))
            return
        if len(self.stack) >= MAX_NESTING:
            raise _Stop(mark, f"the file is nested deeper than {MAX_NESTING}", "flatten it")
        node = (
            SequenceNode(mark) if isinstance(event, yaml.SequenceStartEvent) else MappingNode(mark)
        )
        path = self._path()
        self._add(node)
        self.stack.append(node)
        self.paths.append(path)
        self.keys.append(None)

    def _add(self, node: Node) -> None:
        """Add a node to its parent: as an item, as a key, or as the value of a key."""
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
            before = parent.values[name]
            message = f"key {name!r} is given twice, first in line {parent.marks[name].line}"
            same = _is_same(before, node)
            self.problems.append(YamlProblem(mark, message, "keep one", self._path(), same))
            if same and isinstance(before, ScalarNode) and before.is_null:
                parent.values[name] = node
                parent.marks[name] = mark
        else:
            parent.values[name] = node
            parent.marks[name] = mark
        self.keys[-1] = None

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise _Stop(node.mark, "a key must be text, not a list or a mapping", "quote it")
        if node.text == "<<" and node.plain:
            self._report(node.mark, "a merge key (<<)", "write the keys out")
        return node.text


def _is_same(first: Node, second: Node) -> bool:
    """Whether two values of one key are the same text, or one of them is nothing."""
    texts = [node for node in (first, second) if isinstance(node, ScalarNode)]
    if any(node.is_null for node in texts):
        return True
    return len(texts) == 2 and texts[0].text == texts[1].text
