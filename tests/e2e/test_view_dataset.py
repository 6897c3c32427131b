"""``view: dataset``: DataLad's manners, whose records need no tea-runner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.lab import Lab
from tests.e2e.test_records import clone

RULES = "* annex.backend=MD5E\n**/spec.yml annex.largefiles=nothing\n"
SPEC = """\
pipeline:
  name: count
view: dataset
input:
  pfs:
    repo: texts
    glob: "/(*).txt"
outputs: ["$1.count"]
transform:
  cmd: ["sh", "-c", "%swc -l < {inputs} > {outputs}"]
"""
TEXTS = {"texts/a.txt": "1\n2\n", "texts/b c.txt": "1\n2\n3\n"}


def make(lab: Lab, counter: str = "") -> None:
    """A dataset of two texts whose lines are counted."""
    spec = SPEC % (counter + "; " if counter else "")
    lab.create(files={".gitattributes": RULES, **TEXTS, "count/spec.yml": spec})


@pytest.mark.long
def test_inputs_stand_at_their_own_paths_and_declared_outputs_are_kept(
    lab: Lab, counted: tuple[str, Callable[[], int]]
) -> None:
    """Each datum runs once, and only what is declared becomes a result."""
    counter, count = counted
    make(lab, f"touch count/scrap; {counter}")
    lab.push()
    run = lab.settle()
    lab.pull()

    assert run is not None
    assert "settled" == run.state
    assert 2 == count()
    lab.do("git", "annex", "get", "--quiet", "count")
    assert "2" == (lab.dataset / "count/a.count").read_text().strip()
    assert "3" == (lab.dataset / "count/b c.count").read_text().strip()
    assert not (lab.dataset / "count/scrap").exists()


def test_its_record_is_plain_shell_that_stock_datalad_repeats(lab: Lab) -> None:
    """The command in the record names no tool of ours; rerun gives the same bytes."""
    make(lab)
    lab.push()
    lab.settle()
    lab.pull()
    records = lab.git("log", "--format=%H", "--grep=DATALAD RUNCMD", "HEAD").split()
    for commit in records:
        message = lab.git("show", "-s", "--format=%B", commit)
        assert '"cmd": "sh -c ' in message
        assert "tea-runner exec" not in message

    elsewhere = clone(lab, lab.root / "elsewhere")
    before = lab.git("rev-parse", "HEAD", cwd=elsewhere)
    for commit in records:
        lab.do("datalad", "-l", "error", "rerun", commit, cwd=elsewhere)

    assert 2 == len(records)
    assert before == lab.git("rev-parse", "HEAD", cwd=elsewhere)
    assert "" == lab.git("status", "--porcelain", cwd=elsewhere)


def test_a_declared_output_that_is_not_made_fails_the_datum_by_its_name(lab: Lab) -> None:
    """Nothing is published, and the sentence names the path."""
    spec = SPEC.replace("%swc -l < {inputs} > {outputs}", "true")
    lab.create(files={".gitattributes": RULES, "texts/a.txt": "1\n", "count/spec.yml": spec})
    pushed = lab.push()
    run = lab.settle()

    assert run is not None
    assert "failed" == run.state
    assert "declared output count/a.count was not made" in run.pipelines[0].detail
    assert pushed == lab.tip()
