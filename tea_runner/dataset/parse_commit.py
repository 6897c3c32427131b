"""Parser of raw commit objects."""

from __future__ import annotations

#: Latest time that every git can write: 2100-01-01.
_MAX_SECONDS = 4_102_444_800


class Commit:
    """A commit; its headers are parsed on access."""

    def __init__(self, oid: str, data: bytes) -> None:
        self.oid = oid
        header, _, message = data.partition(b"\n\n")
        self._lines = header.split(b"\n")
        self.message = message.decode("utf-8", "replace")

    def _values(self, name: bytes) -> list[str]:
        start = name + b" "
        lines = [line for line in self._lines if line.startswith(start)]
        return [line[len(start) :].decode("utf-8", "replace") for line in lines]

    @property
    def tree(self) -> str:
        """Object id of its tree."""
        return self._values(b"tree")[0]

    @property
    def parents(self) -> list[str]:
        """Object ids of its parents."""
        return self._values(b"parent")

    @property
    def committed(self) -> int:
        """The committer's time in seconds since 1970, limited to 2100; 0 when it is malformed."""
        try:
            seconds = int(self._values(b"committer")[0].rsplit(" ", 2)[-2])
        except (IndexError, ValueError):
            return 0
        return min(max(seconds, 0), _MAX_SECONDS)

    @property
    def author(self) -> str:
        """The author: ``Name <address>``; empty when it is missing."""
        return self._values(b"author")[0].rsplit(" ", 2)[0] if self._values(b"author") else ""

    @property
    def subject(self) -> str:
        """First line of the message."""
        return self.message.split("\n", 1)[0]
