"""``annex.strict_hashes`` in a clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import SHOUT, Dataset


@pytest.mark.long
def test_strict_hashes_hold_in_a_clone_too(tmp_path: Path) -> None:
    """A file with MD5 is accepted without the setting, and refused with it, at the next call."""
    made = Dataset(tmp_path / "data")
    rules = "*.yml annex.largefiles=nothing\n* annex.backend=MD5E\n"
    made.save({".gitattributes": rules})
    made.write({"raw/a.dat": "a\n", "shout/spec.yml": SHOUT})
    made.do("git", "annex", "add", "-q", ".")
    made.save()
    assert 0 == made.tea("plan").code

    said = made.tea("plan", env={"TEA_RUNNER_ANNEX__STRICT_HASHES": "true"})
    assert "annex.strict_hashes" in said.out + said.err, said
    assert "annex.strict_hashes" not in made.tea("plan").out
