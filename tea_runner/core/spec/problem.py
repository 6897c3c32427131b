"""Problems of a pipeline file: a sentence, its position, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: error: nothing runs until it is mended; deprecation: an old name or field; warning: it works,
#: but probably not as meant; ignored: accepted, and the message says what happens instead.
Kind = Literal["error", "deprecation", "warning", "ignored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem of a pipeline file."""

    kind: Kind
    file: str
    #: Counted from 1; 0 for the file as a whole.
    line: int = 0
    column: int = 0
    #: Dotted path of the field, such as ``input.join[0].pfs.glob``; empty for the whole file.
    key: str = ""
    message: str
    #: What to write instead.
    hint: str = ""
    #: Name of the pipeline, where the file has one.
    pipeline: str = ""
    #: Fields that are for a cluster only, if it is about such: nothing that happens here changes.
    cluster_fields: tuple[str, ...] = ()

    @classmethod
    def error(
        cls,
        file: str,
        message: str,
        hint: str = "",
        *,
        line: int = 0,
        column: int = 0,
        key: str = "",
    ) -> Problem:
        """A problem because of which the pipeline does not run."""
        return cls(
            kind="error", file=file, line=line, column=column, key=key, message=message, hint=hint
        )

    @property
    def is_error(self) -> bool:
        """Whether the pipeline does not run because of it."""
        return self.kind == "error"

    @property
    def sentence(self) -> str:
        """The message, and the next step if there is one."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{position}: {self.kind}: {self.key + ': ' if self.key else ''}{self.sentence}"
