"""What must be there and is not: a failure, said with its reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tea_runner.host import process

_TESTS = """
import pytest

def test_with_an_engine():
    pytest.skip("engine absent: bubblewrap is missing: apt install bubblewrap")

def test_without_walls():
    pytest.skip("sandbox: off has no walls")
"""


@pytest.mark.parametrize(
    ("required", "expected"), [("git bwrap", "1 failed, 1 skipped"), ("git", "2 skipped")]
)
def test_a_test_that_lacks_a_required_program_fails(
    tmp_path: Path, required: str, expected: str
) -> None:
    """Only for what is required, and not for what this machine cannot mean to have."""
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_engines.py").write_text(_TESTS)
    env = {**os.environ, "TEA_TEST_REQUIRE": required, "PYTHONPATH": str(Path(__file__).parents[1])}

    done = process.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:datalad", "-p", "no:cacheprovider", "."],
        env=env,
        cwd=tmp_path,
        check=False,
    )

    assert expected in done.stdout.decode()
