"""Remove secrets from logs, errors and other data that leaves the program.

A secret is recognised in several encodings: as it is, each long line of it, base64 (at any offset,
both alphabets), hex and percent-encoding.  Passwords in ``://user:password@`` and in ``Authorization``
headers are removed too, whether they are known secrets or not.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

#: Replacement of a secret.
MASK = b"***"
#: Shortest secret that is redacted, in bytes: shorter ones cannot be told from ordinary text.
MIN_LENGTH = 8
_PATTERNS = (
    re.compile(rb"(?<=://)[^\s/@:'\"]{0,200}:[^\s/@'\"]{1,500}(?=@)"),
    re.compile(rb"(?i)(?<=authorization: )[^\r\n'\"]{1,1000}"),
    re.compile(rb"(?i)(?<=authorization:)[^\s'\"][^\r\n'\"]{0,1000}"),
)


def spellings(secret: bytes) -> set[bytes]:
    """All byte strings that reveal this secret."""
    found: set[bytes] = set()
    parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    for part in parts:
        if len(part) < MIN_LENGTH:
            continue
        text = quote(part, safe="")
        found |= {part, part.hex().encode(), part.hex().upper().encode()}
        found |= {text.encode(), quote_plus(part).encode(), quote(part).encode()}
        found |= {text.lower().encode()} if "%" in text else set()
        found |= _base64(part)
    return {each for each in found if len(each) >= MIN_LENGTH}


def _base64(part: bytes) -> set[bytes]:
    """The base64 characters that depend on the secret alone, for each offset modulo 3."""
    found = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + part)
        # The first and last characters also encode bits of the neighbouring bytes.
        start = (offset * 8 + 5) // 6
        end = (offset + len(part)) * 8 // 6
        inner = encoded[start:end]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Redactor:
    """Replaces known secrets, in any of their encodings, by :data:`MASK`."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._spellings = sorted({s for each in secrets for s in spellings(each)}, key=len)[::-1]
        self._search = (
            re.compile(b"|".join(map(re.escape, self._spellings))) if self._spellings else None
        )

    @property
    def has_secrets(self) -> bool:
        """Whether there are any secrets to look for."""
        return bool(self._spellings)

    @property
    def longest_secret(self) -> int:
        """Length of the longest spelling, in bytes."""
        return len(self._spellings[0]) if self._spellings else 0

    def redact(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        if self._search is not None:
            data = self._search.sub(MASK, data)
        for pattern in _PATTERNS:
            data = pattern.sub(MASK, data)
        return data

    def redact_text(self, text: str) -> str:
        """The text without secrets."""
        raw = text.encode("utf-8", "surrogateescape")
        return self.redact(raw).decode("utf-8", "surrogateescape")

    def contains_secret(self, data: bytes) -> bool:
        """Whether the bytes contain a known secret."""
        return self._search is not None and self._search.search(data) is not None

    def stream(self, write: Callable[[bytes], None]) -> RedactedStream:
        """A writer that also finds secrets that are split between two chunks."""
        return RedactedStream(self, write)

    def incomplete_tail(self, data: bytes) -> int:
        """Number of bytes at the end of *data* that may be the beginning of a secret."""
        for size in range(min(len(data), self.longest_secret), 0, -1):
            tail = data[-size:]
            if any(each.startswith(tail) for each in self._spellings):
                return self._extend_tail(data, size)
        # A password in a URL, or a header, ends at the latest with its line.
        line = data[data.rfind(b"\n") + 1 :][-1500:]
        return len(line) if re.search(rb"(?i)://[^\s@]*$|authorization:", line) else 0

    def _extend_tail(self, data: bytes, size: int) -> int:
        """*size*, or more if that cut would split a complete secret."""
        assert self._search is not None
        cut = len(data) - size
        for found in self._search.finditer(data):
            if found.start() < cut < found.end():
                return len(data) - found.start()
        return size


class RedactedStream:
    """Writes a command's output without secrets; call :meth:`flush` at the end."""

    def __init__(self, redactor: Redactor, write: Callable[[bytes], None]) -> None:
        self._redactor = redactor
        self._write = write
        self._pending = b""

    def write(self, data: bytes) -> None:
        """Write all bytes that can no longer be part of a secret; keep the others."""
        data = self._pending + data
        end = len(data) - self._redactor.incomplete_tail(data)
        self._pending = data[end:]
        if end:
            self._write(self._redactor.redact(data[:end]))

    def flush(self) -> None:
        """Write the rest."""
        if self._pending:
            pending, self._pending = self._pending, b""
            self._write(self._redactor.redact(pending))
