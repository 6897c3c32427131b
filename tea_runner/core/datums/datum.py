"""Datums: the smallest sets of inputs that a command processes at once (Pachyderm's unit)."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

_SAFE = "/-_.~+@,=:()[]{}!^&"
#: Bytes that are not percent-encoded in a label.
_PLAIN = (string.ascii_letters + string.digits + _SAFE).encode()


class Entry(NamedTuple):
    """One match of one input's glob: a file, or a directory with all below it.

    *input* counts the pipeline's pfs inputs in the order of the file, and then its schedules (see
    :func:`tea_runner.core.pipeline.numbered_leaves`); *path* is relative to that input's directory,
    without slashes at its ends, and empty for the directory itself.
    """

    input: int
    name: str
    path: str
    is_dir: bool
    #: The glob's captures ``$0`` (the path with a leading slash), ``$1``, …; empty if no template of
    #: the pipeline needs them.
    captures: tuple[str, ...] = ()
    join_on: str = ""
    group_by: str = ""

    @property
    def label(self) -> str:
        """Unambiguous name ``name:path``: unusual bytes percent-encoded, ``/`` after a directory."""
        text = self.path
        raw = text.encode("utf-8", "surrogateescape")
        if raw.translate(None, _PLAIN):
            text = quote(raw, safe=_SAFE)
        return f"{self.name}:{text}{'/' if self.is_dir else ''}"


class EntryOfRepo(Entry):
    """An entry whose label names its repo, because an entry of another repo has the same name and path."""

    repo: str = ""

    @classmethod
    def of(cls, entry: Entry, repo: str) -> EntryOfRepo:
        """The entry with its repo."""
        made = cls(*entry)
        made.repo = repo
        return made

    @property
    def label(self) -> str:
        """Unambiguous name ``name(repo):path``; no name of an input has parentheses."""
        repo = quote(self.repo.encode("utf-8", "surrogateescape"), safe="/-_.~@")
        return f"{self.name}({repo}){super().label.removeprefix(self.name)}"


class Datum(tuple[Entry, ...]):
    """The entries of one datum, in the order of the pipeline's inputs.

    A bare tuple, because a pipeline may have millions of datums.
    """

    __slots__ = ()

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries."""
        return self

    @property
    def label(self) -> str:
        """The datum's name within its pipeline, for people and records."""
        entries = self.entries
        if len(entries) == 1:
            return entries[0].label
        return " ".join(entry.label for entry in entries)

    @property
    def id(self) -> str:
        """SHA-256 of the label (64 hex digits): identifies the datum whatever its content."""
        return hashlib.sha256(self.label.encode()).hexdigest()


def shown_label(label: str) -> str:
    """A datum's label with names as people wrote them, not percent-encoded.

    Programs need the label itself: in this one the ends of names and of entries cannot be told apart.
    """
    return unquote(label, errors="surrogateescape") if "%" in label else label


def is_label(word: str, label: str, pipeline: str = "") -> bool:
    """Whether a person means this datum: by its label in either form, after the pipeline's name or alone."""
    forms = {label, shown_label(label)}
    return word in forms or any(word == f"{pipeline} {form}" for form in forms)
