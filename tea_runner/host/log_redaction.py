"""Logging filter that removes secrets from the program's own log."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from tea_runner.host.structured_log import record_fields


class RedactingFilter(logging.Filter):
    """Removes secrets from messages, fields and tracebacks before a handler writes them."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; it is always logged."""
        record.msg, record.args = self._redact(record.getMessage()), ()
        for name, value in record_fields(record).items():
            setattr(record, name, self._redact(str(value)))
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redact("".join(traceback.format_exception(*record.exc_info)))
            record.exc_info = None
        return True


def redact_logs(redact: Callable[[str], str]) -> None:
    """Install the filter on each handler of the root logger, in place of an earlier one."""
    for handler in logging.getLogger().handlers:
        for old in [each for each in handler.filters if isinstance(each, RedactingFilter)]:
            handler.removeFilter(old)
        handler.addFilter(RedactingFilter(redact))
