"""Format of the program's own log: text or JSON lines, with fields.

A field comes from the ``extra`` argument of a logging call, or from :func:`log_fields` around it.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

LogFormat = Literal["text", "json"]

#: Fields that a log line may have, in the order in which they are written.
FIELDS = ("repository", "branch", "commit", "run", "pipeline", "job", "attempt", "delivery")

_context: ContextVar[Mapping[str, object]] = ContextVar("log_fields", default=MappingProxyType({}))


@contextlib.contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add fields to all lines that this thread logs in the block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class FieldFilter(logging.Filter):
    """Copies the fields of :func:`log_fields` to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete the record in place; it is always logged."""
        for name, value in _context.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def record_fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields that a record has."""
    return {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}


class TextFormatter(logging.Formatter):
    """Time, level, logger and message, then ``name=value`` for each field."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without a traceback."""
        fields = (f" {name}={_quoted(value)}" for name, value in record_fields(record).items())
        return super().formatMessage(record) + "".join(fields)


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC, RFC 3339), level, logger, message, fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        row = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **record_fields(record),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            row["traceback"] = record.exc_text
        return json.dumps(row, default=str)


def configure_logging(format: LogFormat, level: int | None = None) -> None:  # noqa: A002
    """Write all log lines to stderr in this format; the level stays when it is None."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
        if not any(isinstance(each, FieldFilter) for each in handler.filters):
            handler.addFilter(FieldFilter())
    if level is not None:
        root.setLevel(level)


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and '"' not in text else json.dumps(text)
