"""Parse single values: numbers, booleans, durations, amounts of bytes, processors.

Each function raises :class:`ScalarError` with what was expected.
"""

from __future__ import annotations

import re
from decimal import Decimal

#: Longest duration, in seconds: 366 days.
MAX_SECONDS = 366 * 86400

_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?(?:[eE][0-9]{1,2})?)([A-Za-z]*)")
_BYTES = {"": 1} | {
    letter + suffix: base**power
    for power, letter in enumerate("KMGTPE", 1)
    for suffix, base in (("", 1000), ("i", 1024))
}
_BYTES["k"] = 1000
_BYTES |= {unit + "B": size for unit, size in _BYTES.items()}
_BOOLEANS = {
    spelling: value
    for words, value in (("y yes on true", True), ("n no off false", False))
    for word in words.split()
    for spelling in (word, word.capitalize(), word.upper())
}
#: Plain scalars that YAML 1.1 does not read as text: booleans, octal, base 60, dates.
_PITFALL = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false)|[-+]?0[0-9_]+|[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?|0[xob][0-9a-fA-F_]+"
)


class ScalarError(Exception):
    """The text is not such a value; the message says what was expected."""


def number(text: str) -> int:
    """A whole number, at least 0."""
    if not _WHOLE.fullmatch(text):
        shown = text if len(text) <= 20 else f"{text[:20]}…"
        if re.fullmatch(r"0[0-9]+", text):
            raise ScalarError(f"expected a whole number without a leading 0, got {shown}")
        raise ScalarError(f"expected a whole number, got {shown!r}")
    return int(text)


def boolean(text: str) -> bool:
    """``true`` or ``false``, in each spelling of YAML 1.1 and 1.2."""
    if text not in _BOOLEANS:
        raise ScalarError(f"expected true or false, got {text!r}")
    return _BOOLEANS[text]


def is_false(text: str) -> bool:
    """Whether the text is a spelling of ``false``."""
    return not _BOOLEANS.get(text, True)


def duration(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``1h30m`` or ``500ms``."""
    total = Decimal(0)
    position = 0
    for found in _DURATION.finditer(text):
        if found.start() != position:
            break
        total += Decimal(found[1]) * _SECONDS[found[2]]
        position = found.end()
    shown = text if len(text) <= 20 else f"{text[:20]}…"
    if position != len(text) or not text:
        hint = f", such as {text}s" if _WHOLE.fullmatch(text) and text != "0" else ", such as 1h30m"
        raise ScalarError(f"expected a duration with its unit (h, m, s, ms){hint}, got {shown!r}")
    if not Decimal("0.001") <= total <= MAX_SECONDS:
        raise ScalarError(
            f"a duration must be between 1ms and {MAX_SECONDS // 3600}h, got {shown!r}"
        )
    return float(total)


def amount(text: str) -> int:
    """Bytes of an amount such as ``500``, ``64M``, ``256MB`` or ``1.5Gi``; 0 for no amount."""
    found = _AMOUNT.fullmatch(text)
    if not found or found[2] not in _BYTES:
        raise ScalarError(f"expected an amount of bytes such as 512M or 2Gi, got {text[:20]!r}")
    total = int(Decimal(found[1]) * _BYTES[found[2]])
    if not 0 <= total < 2**63:
        raise ScalarError(f"expected an amount of less than 8Ei, got {text[:20]!r}")
    return total


def processors(text: str) -> float:
    """Processors, such as ``2``, ``0.5``, ``.5`` or ``500m`` (thousandths); 0 for no number."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})(m?)", text)
    value = Decimal(found[1]) / (1000 if found[2] else 1) if found else Decimal(0)
    if not found or value > 100_000:
        raise ScalarError(
            f"expected a number of processors such as 2, 0.5 or 500m, got {text[:20]!r}"
        )
    return float(value)


def is_pitfall(text: str) -> bool:
    """Whether other YAML parsers may read the unquoted text as something other than text."""
    if _PITFALL.fullmatch(text):
        return True
    if re.fullmatch(r"[-+]?[0-9]+\.[0-9]*|[-+]?[0-9.]+[eE][-+]?[0-9]+", text):
        try:
            return str(float(text)) != text
        except ValueError:
            return False
    return False
