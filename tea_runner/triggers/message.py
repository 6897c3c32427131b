"""A message of a source, and the protocol of sources that are read from a position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tea_runner.core.errors import OutsideError


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message.

    :param id: tells it from the others of the source, also when it is read again.
    :param offset: what :meth:`MessageSource.messages` takes to go on after it.
    :param refusal: why it cannot be kept, such as its size; empty when it can.
    """

    id: str
    offset: str
    data: bytes = field(default=b"", repr=False)
    refusal: str = ""


class MessageSource(Protocol):
    """Where messages come from."""

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """Messages after a position, as they come; ends when the source ends it, or when stopped.

        :param offset: of the last message that was kept; empty for the beginning.
        :param stopped: waits for so many seconds; True when reading is to end.
        :raises OutsideError: when the source does not answer, or not as it should.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How a source is read.

    :param stream: name of a stream or topic, where one address has several.
    :param session: tells this reader from others, where the source keeps positions itself.
    :param token: sent as ``Authorization: Bearer``; empty for none.
    :param every: seconds between two requests of a poll.
    :param variables: credentials and region, as ``AWS_ACCESS_KEY_ID`` and so on.
    :param largest: bytes of the largest message.
    """

    url: str
    stream: str = ""
    session: str = ""
    token: str = field(default="", repr=False)
    every: float = 60.0
    largest: int = 1 << 20
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def missing_library(name: str) -> OutsideError:
    """The error for a source whose library is not installed.

    :param name: of the package.
    """
    return OutsideError(
        f"reading it needs the package {name}", hint="pip install 'tea-runner[streams]'"
    )
