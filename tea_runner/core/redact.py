"""Live secrets and what wants to leave in; the same without the secrets, in any of their spellings, out.

Spellings: as it is, each long line of it, base64 (at any place in a longer text, both alphabets), hex,
percent-encoded.  Beside them, whatever stands where programs write passwords: ``://user:word@``, an
``Authorization`` header.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

#: What stands in the place of a secret.
MASK = b"***"
#: Shorter ones cannot be told from ordinary text.
SHORTEST = 8
_PATTERNS = (
    re.compile(rb"(?<=://)[^\s/@:'\"]{0,200}:[^\s/@'\"]{1,500}(?=@)"),
    re.compile(rb"(?i)(?<=authorization: )[^\r\n'\"]{1,1000}"),
    re.compile(rb"(?i)(?<=authorization:)[^\s'\"][^\r\n'\"]{0,1000}"),
)


def spellings(secret: bytes) -> set[bytes]:
    """All texts that tell this secret."""
    found: set[bytes] = set()
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    for part in parts:
        if len(part) < SHORTEST:
            continue
        text = quote(part, safe="")
        found |= {part, part.hex().encode(), part.hex().upper().encode()}
        found |= {text.encode(), quote_plus(part).encode(), quote(part).encode()}
        found |= {text.lower().encode()} if "%" in text else set()
        found |= _base64(part)
    return {each for each in found if len(each) >= SHORTEST}


def _base64(part: bytes) -> set[bytes]:
    """What is the same wherever the secret stands in what was encoded."""
    found = set()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + part)
        # The first and last characters also hold bits of what stands beside the secret.
        start = (before * 8 + 5) // 6
        end = (before + len(part)) * 8 // 6
        inner = whole[start:end]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Redactor:
    """Takes secrets out of what leaves."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._known = sorted({s for each in secrets for s in spellings(each)}, key=len)[::-1]
        self._search = re.compile(b"|".join(map(re.escape, self._known))) if self._known else None
        self._longest = len(self._known[0]) if self._known else 0

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        if self._search is not None:
            data = self._search.sub(MASK, data)
        for pattern in _PATTERNS:
            data = pattern.sub(MASK, data)
        return data

    def text(self, text: str) -> str:
        """The text without secrets."""
        raw = text.encode("utf-8", "surrogateescape")
        return self.data(raw).decode("utf-8", "surrogateescape")

    @property
    def known(self) -> bool:
        """Whether there is any secret to look for."""
        return bool(self._known)

    @property
    def longest(self) -> int:
        """Length of the longest spelling."""
        return self._longest

    def tells(self, data: bytes) -> bool:
        """Whether the bytes hold a secret."""
        return self._search is not None and self._search.search(data) is not None

    def stream(self, write: Callable[[bytes], None]) -> Stream:
        """A writer that takes secrets out also where they are cut in two by the chunks."""
        return Stream(self, write)

    def held(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        for size in range(min(len(data), self._longest), 0, -1):
            tail = data[-size:]
            if any(each.startswith(tail) for each in self._known):
                return self._uncut(data, size)
        # A password in an address, or a header, ends with the line at the latest.
        line = data[data.rfind(b"\n") + 1 :][-1500:]
        return len(line) if re.search(rb"(?i)://[^\s@]*$|authorization:", line) else 0

    def _uncut(self, data: bytes, held: int) -> int:
        """The same, or more where a whole secret would be cut in two: its end may begin another."""
        assert self._search is not None
        cut = len(data) - held
        for found in self._search.finditer(data):
            if found.start() < cut < found.end():
                return len(data) - found.start()
        return held


class Stream:
    """What a command prints, without secrets; call :meth:`flush` when it has ended."""

    def __init__(self, redactor: Redactor, write: Callable[[bytes], None]) -> None:
        self._redactor = redactor
        self._write = write
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Hand on what can be no part of a secret any more."""
        data = self._rest + data
        held = self._redactor.held(data)
        self._rest = data[len(data) - held :]
        if len(data) > held:
            self._write(self._redactor.data(data[: len(data) - held]))

    def flush(self) -> None:
        """Hand on the rest."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._write(self._redactor.data(rest))
