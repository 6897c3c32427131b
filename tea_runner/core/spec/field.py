"""Description of one field of a pipeline file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: Type of the value: ``texts`` is a list of text, ``named texts`` a mapping of names to text,
#: ``inputs`` a list of inputs; ``value`` is a text, number or boolean, as it is written; ``anything`` is
#: not examined.
Shape = Literal[
    "text",
    "texts",
    "named texts",
    "number",
    "numbers",
    "cpu",
    "boolean",
    "duration",
    "bytes",
    "mapping",
    "mappings",
    "inputs",
    "value",
    "anything",
]

#: works: as in Pachyderm; differs: works, and *note* describes the difference; ignored: accepted with
#: a warning, and *note* describes what happens instead; refused: an error, and *note* is the next
#: step; renamed: an old name of the field *note*.
Support = Literal["works", "differs", "ignored", "refused", "renamed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a pipeline file: its type, its support and its documentation."""

    name: str
    shape: Shape
    about: str
    support: Support = "works"
    note: str = ""
    fields: tuple[Field, ...] = ()
    choices: tuple[str, ...] = ()
    #: For the documentation; empty without a default.
    default: str = ""
    required: bool = False
    #: Whether the field is tea-runner's own.
    ours: bool = False
    #: Whether the value of an ignored field is read, for comparisons with what is allowed.
    compared: bool = False
    #: Whether an ignored field is for a cluster only: nothing that a command does depends on it.
    cluster: bool = False

    @property
    def camel(self) -> str:
        """The name in the spelling of Pachyderm's JSON."""
        return re.sub(r"_([a-z])", lambda found: found[1].upper(), self.name)


def make(name: str, shape: Shape, about: str, *fields: Field, **more: object) -> Field:
    """Shorthand for a field that works."""
    return Field(name=name, shape=shape, about=about, fields=fields, **more)  # type: ignore[arg-type]


def ignored(name: str, shape: Shape, about: str, note: str, **more: object) -> Field:
    """Shorthand for a field that is accepted with a warning."""
    return make(name, shape, about, support="ignored", note=note, **more)


def cluster(name: str, shape: Shape, about: str, note: str, **more: object) -> Field:
    """Shorthand for an ignored field that is for a cluster only."""
    return ignored(name, shape, about, note, cluster=True, **more)


def refused(name: str, shape: Shape, about: str, note: str) -> Field:
    """Shorthand for a field that is an error."""
    return Field(name=name, shape=shape, about=about, support="refused", note=note)


def renamed(name: str, shape: Shape, note: str) -> Field:
    """Shorthand for the old name of the field *note*."""
    return Field(name=name, shape=shape, about="an older name", support="renamed", note=note)
