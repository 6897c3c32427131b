"""One unit of work: the smallest set of inputs that a command handles at once."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

_SAFE = "/-_.~+@,=:()[]{}!^&"
#: Bytes that stand for themselves in a label, as they do in most.
_PLAIN = (string.ascii_letters + string.digits + _SAFE).encode()


class Entry(NamedTuple):
    """One match of one input's glob: a file, or a directory with all below it.

    *input* counts the pipeline's pfs inputs in the order of the file (see
    :func:`tea_runner.core.pipeline.pfs_leaves`); *path* is relative to that input's place,
    without slashes at its ends, and empty for the place itself.
    """

    input: int
    name: str
    path: str
    is_dir: bool
    #: ``$0`` (the whole path, with a leading slash), ``$1``, … as the glob captured them; empty where
    #: the pipeline names no outputs after them.
    captures: tuple[str, ...] = ()
    join_on: str = ""
    group_by: str = ""

    @property
    def label(self) -> str:
        """Readable and unambiguous: ``name:path``, odd bytes percent-encoded, ``/`` after a directory."""
        text = self.path
        raw = text.encode("utf-8", "surrogateescape")
        if raw.translate(None, _PLAIN):
            text = quote(raw, safe=_SAFE)
        return f"{self.name}:{text}{'/' if self.is_dir else ''}"


class Datum(tuple[Entry, ...]):
    """Entries that belong together, in the order of the pipeline's inputs.

    It is its entries, and nothing around them: there may be millions.
    """

    __slots__ = ()

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries."""
        return self

    @property
    def label(self) -> str:
        """What people read and what identifies the datum within its pipeline."""
        entries = self.entries
        if len(entries) == 1:
            return entries[0].label
        return " ".join(entry.label for entry in entries)

    @property
    def id(self) -> str:
        """64 hex digits from the label: who the datum is, whatever its content."""
        return hashlib.sha256(self.label.encode()).hexdigest()
