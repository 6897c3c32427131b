"""Records of the program's own log in, the same without secrets out."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable


class RedactingFilter(logging.Filter):
    """Takes secrets out of messages and tracebacks before any handler writes them."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass, changed where it has to be."""
        record.msg, record.args = self._redact(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redact("".join(traceback.format_exception(*record.exc_info)))
            record.exc_info = None
        return True


def redact_logs(redact: Callable[[str], str]) -> None:
    """Have every handler of the root logger write no secrets; the last call's rule holds."""
    for handler in logging.getLogger().handlers:
        for old in [each for each in handler.filters if isinstance(each, RedactingFilter)]:
            handler.removeFilter(old)
        handler.addFilter(RedactingFilter(redact))
