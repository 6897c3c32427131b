"""``tea-runner run`` in a clone that lacks the content of one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_SPEC = """\
pipeline: {name: up}
input: {pfs: {name: data, repo: raw, glob: "/*"}}
transform: {cmd: [sh, -c, 'cat "$data" > "$PFS/out/$(basename "$data")"']}
"""


@pytest.mark.long
@pytest.mark.parametrize("on_failure", ["fail", "publish"])
def test_the_other_datums_are_computed(tmp_path: Path, on_failure: str) -> None:
    """The error names the file; with ``on_failure: publish`` the others are committed."""
    dataset = Dataset(tmp_path / "data", {"up/spec.yml": f"{_SPEC}on_failure: {on_failure}\n"})
    dataset.write({".gitattributes": "raw/* annex.largefiles=anything\n"})
    dataset.write({f"raw/f{number}.dat": f"{number}\n" for number in range(4)})
    dataset.save()
    dataset.do("git", "annex", "drop", "-q", "--force", "raw/f2.dat")
    said = dataset.tea("run", "-y")
    made = sorted(path.name for path in (dataset.path / "up").glob("*.dat"))

    assert said.code == 1, said
    assert "raw/f2.dat" in said.out + said.err, said
    assert made == (["f0.dat", "f1.dat", "f3.dat"] if on_failure == "publish" else [])
