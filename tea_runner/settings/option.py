"""A field of a group of settings, and secret values."""

from __future__ import annotations

from dataclasses import field
from typing import Any

MEBI = 1 << 20


class SecretValue(str):
    """A secret text: ``repr`` and ``str`` are masked; :meth:`reveal` returns the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self.reveal() else "''"

    def __str__(self) -> str:
        return "***" if self.reveal() else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The text itself."""
        return "".join(self)


def option(
    default: Any,
    help: str,  # noqa: A002 - the usual name
    *,
    unit: str = "",
    least: float | None = None,
    shown: str = "",
) -> Any:
    """A field of a group.

    :param unit: ``bytes`` (accepts ``64 MiB``) or ``seconds``.
    :param least: smallest allowed number.
    :param shown: the default in documents, where it depends on the machine.
    """
    return field(
        default=default, metadata={"help": help, "unit": unit, "least": least, "shown": shown}
    )
