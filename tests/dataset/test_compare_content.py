"""A file's bytes against content identities of every kind that the dataset may hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tea_runner.core.datums.content_identity import GIT, HASHLIB, Content
from tea_runner.core.errors import UserError
from tea_runner.dataset.matches_content import has_content

DATA = b"some bytes\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with DATA in it."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("algorithm", HASHLIB)
def test_the_hash_and_the_size_decide(file: Path, algorithm: str) -> None:
    """Equal content is recognised by any hash that Python has; another digest or size is not."""
    digest = hashlib.new(HASHLIB[algorithm], DATA).hexdigest()

    assert has_content(file, Content(algorithm, len(DATA), digest))
    assert not has_content(file, Content(algorithm, len(DATA), "0" * len(digest)))
    assert not has_content(file, Content(algorithm, len(DATA) + 1, digest))


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_git_blob_id_is_compared_too(file: Path, name: str) -> None:
    """Content that is known by its blob id only, in repositories of both object formats."""
    oid = hashlib.new(name, b"blob %d\0" % len(DATA) + DATA).hexdigest()

    assert has_content(file, Content(GIT, -1, oid))
    assert not has_content(file, Content(GIT, -1, oid[::-1]))


def test_a_hash_that_python_lacks_is_named(file: Path) -> None:
    """git-annex has backends that cannot be computed here: an error, not a difference."""
    with pytest.raises(UserError, match="SKEIN256"):
        has_content(file, Content("SKEIN256", len(DATA), "0" * 64))
