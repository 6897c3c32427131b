"""The last line that a command printed, for sentences that say why it failed."""

from __future__ import annotations

import re

from tea_runner.core.redact import Redactor
from tea_runner.present.visible_text import visible

#: Bytes of the output that are kept, and characters of the line that are shown.
_KEPT, _SHOWN = 4096, 200
#: Control sequences of terminals: colours, and movements of the cursor.
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class LastLine:
    """Keeps the end of what a command prints."""

    def __init__(self) -> None:
        self._end = b""
        self._is_cut = False

    def clear(self) -> None:
        """Forget what another try has printed."""
        self._end, self._is_cut = b"", False

    def write(self, chunk: bytes) -> None:
        """Add what was printed."""
        end = self._end + chunk[-_KEPT:]
        self._is_cut |= len(end) > _KEPT or len(chunk) > _KEPT
        self._end = end[-_KEPT:]

    def text(self, redactor: Redactor) -> str:
        """The last line that is not blank, without secrets; empty where there is none.

        A line whose beginning is not kept is left out: it may end with the rest of a secret.
        """
        # As a whole: a secret may have several lines.
        lines = re.split(rb"[\r\n]+", redactor.redact(self._end))
        if self._is_cut:
            del lines[0]
        plain = (_CONTROL.sub(b"", line).decode("utf-8", "surrogateescape") for line in lines)
        shown = [" ".join(line.split()) for line in plain if line.strip()]
        text = visible(shown[-1]) if shown else ""
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
