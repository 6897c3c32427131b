"""What a worker fetches: the datum's files, and nothing else of the dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.lab import Lab

RULES = "* annex.backend=MD5E\n**/spec.yml annex.largefiles=nothing\n"
SPEC = """\
pipeline:
  name: copy
input:
  pfs:
    repo: in
    glob: "/*"
transform:
  cmd: ["sh", "-c", "cp $PFS/in/* $PFS/out/"]
"""


def content(lab: Lab, host: str) -> int:
    """Bytes of annexed content in a host's mirrors."""
    mirrors = lab.root / "hosts" / host / "mirrors"
    files = (path for path in mirrors.rglob("annex/objects/**/*") if path.is_file())
    return sum(Path(path).stat().st_size for path in files)


@pytest.mark.long
def test_one_changed_file_of_many_is_all_that_a_new_worker_fetches(lab: Lab) -> None:
    """A host that has seen nothing takes one input of ten; what it wrote is the same bytes again."""
    files = {f"in/f{number}.bin": f"{number}" * 10_000 for number in range(10)}
    lab.create(files={".gitattributes": RULES, **files, "copy/spec.yml": SPEC})
    lab.push()
    lab.settle("east")
    lab.pull()
    lab.write({"in/f3.bin": "changed" * 1_000})
    lab.save()
    lab.push()
    lab.settle("west")

    # The copy has the same key as its input: one object of 7,000 bytes.
    assert 7_000 == content(lab, "west")
