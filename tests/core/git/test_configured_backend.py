"""The dataset's annex backend, as DataLad configures it."""

from __future__ import annotations

import pytest

from tea_runner.core.git.configured_backend import annex_backend


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        (b"", "SHA256E"),
        (b"* annex.backend=MD5E\n", "MD5E"),
        (b"\n* annex.backend=MD5E\n**/.git* annex.largefiles=nothing\n", "MD5E"),
        (b"* annex.backend=MD5E\n** annex.backend=SHA1\n", "SHA1"),
        (b"* annex.largefiles=nothing annex.backend=MD5\n", "MD5"),
        (b"*.txt annex.backend=MD5\n", "SHA256E"),
        (b"# * annex.backend=MD5\n* annex.backend=\n* annex.backend\n\xff\n", "SHA256E"),
    ],
)
def test_the_last_line_for_all_files_counts(text: bytes, backend: str) -> None:
    """Lines for some files, comments, empty values and bytes that are no text say nothing."""
    assert backend == annex_backend(text)
