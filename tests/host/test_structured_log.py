"""The program's own log: text and JSON lines with fields, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from tea_runner.host.log_redaction import redact_logs
from tea_runner.host.structured_log import LogFormat, configure_logging, log_fields

_log = logging.getLogger("tests.some_module")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged, in a root logger without other handlers."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    written = io.StringIO()
    root.handlers = [logging.StreamHandler(written)]
    yield written
    root.handlers = before
    root.setLevel(level)


def _logged(stream: io.StringIO, style: LogFormat) -> str:
    configure_logging(style, logging.INFO)
    redact_logs(lambda text: text.replace("s3cret", "***"))
    with log_fields(repository="lab/s3cret", job="ab12"):
        _log.warning("not planned: %s", "token s3cret", extra={"delivery": 'a "b"'})
        try:
            raise ValueError("of s3cret")
        except ValueError:
            _log.exception("a bug")
    _log.info("later")
    return stream.getvalue()


def test_a_text_line_has_the_logger_and_the_fields(stream: io.StringIO) -> None:
    """Time, level, logger, message, then name=value for each field."""
    lines = _logged(stream, "text").splitlines()

    assert lines[0].endswith(
        " WARNING tests.some_module: not planned: token ***"
        ' repository=lab/*** job=ab12 delivery="a \\"b\\""'
    )
    assert lines[-1].endswith(" INFO tests.some_module: later")


def test_json_has_one_object_per_line(stream: io.StringIO) -> None:
    """The fields are members of the object; a traceback is one of them."""
    rows = [json.loads(line) for line in _logged(stream, "json").splitlines()]

    assert ["warning", "error", "info"] == [row["level"] for row in rows]
    assert {
        "logger": "tests.some_module",
        "message": "not planned: token ***",
        "repository": "lab/***",
        "job": "ab12",
        "delivery": 'a "b"',
    }.items() <= rows[0].items()
    assert rows[1]["traceback"].endswith("ValueError: of ***\n")
    assert "repository" not in rows[2]


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_is_written(stream: io.StringIO, style: LogFormat) -> None:
    """Message, fields and traceback are redacted in each format."""
    assert "s3cret" not in _logged(stream, style)
