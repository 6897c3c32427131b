"""``tea-runner run --recompute`` and ``reproduce`` compute known results again, and tell what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_COUNTING = """\
pipeline:
  name: {name}
input:
  pfs:
    name: in
    repo: raw
    glob: "/*"
transform:
  cmd: ["sh", "-c", "echo x >> {count}; f=$(ls $PFS/in); {text} > $PFS/out/$f"]
"""


class Counted:
    """A dataset with one pipeline that gives the same bytes each time, and one that does not."""

    def __init__(self, path: Path) -> None:
        self._count = path / "executions"
        self._count.touch()
        steady = _COUNTING.format(name="steady", count=self._count, text="cat $PFS/in/$f")
        # The number of executions so far: another one each time.
        moody = _COUNTING.format(name="moody", count=self._count, text=f"wc -l < {self._count}")
        files = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "steady/spec.yml": steady}
        self.dataset = Dataset(path / "data", {**files, "moody/spec.yml": moody})
        done = self.dataset.tea("run", "-y", "-j", "1")
        assert 0 == done.code, done
        assert 4 == self.executions()

    def executions(self) -> int:
        """How often commands ran since last asked."""
        number = len(self._count.read_text().splitlines())
        before, self._seen = getattr(self, "_seen", 0), number
        return number - before

    def ledger(self) -> dict[str, tuple[int, int]]:
        """For each pipeline, how often it gave the same bytes, and others."""
        document = json.loads((self.dataset.path / ".git/tea-ledger.json").read_text())
        return {name: (row["ok"], row["differs"]) for name, row in document["pipelines"].items()}


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    """That dataset, settled."""
    return Counted(tmp_path)


def test_the_same_bytes_make_no_commit(counted: Counted) -> None:
    """A reproducible pipeline runs again, nothing is committed, and the ledger counts it."""
    head = counted.dataset.do("git", "rev-parse", "HEAD")
    said = counted.dataset.tea("run", "--recompute", "-y", "steady")

    assert 0 == said.code, said
    assert 2 == counted.executions()
    assert "recompute(ok): steady in:a.txt" in said.lines
    assert head == counted.dataset.do("git", "rev-parse", "HEAD")
    assert {"steady": (2, 0)} == counted.ledger()
    assert "" == counted.dataset.do("git", "for-each-ref", "refs/tea")


@pytest.mark.long
def test_a_datum_after_its_pipeline_is_that_datum(counted: Counted) -> None:
    """As ``tea-runner datums`` prints both; alone it is the datum of each pipeline."""
    said = counted.dataset.tea("run", "--recompute", "-y", "steady", "in:a.txt")

    assert 0 == said.code, said
    assert 1 == counted.executions()
    assert ["recompute(ok): steady in:a.txt"] == [
        line for line in said.lines if line.startswith("recompute")
    ]
    assert 1 == counted.dataset.tea("run", "--recompute", "-y", "steady", "in:nothing").code


def test_other_bytes_are_committed_recorded_and_reported(counted: Counted) -> None:
    """One datum of the other pipeline: its result is replaced, the record and the ledger say so."""
    said = counted.dataset.tea("run", "--recompute", "-y", "moody in:a.txt")

    assert 0 == said.code, said
    assert 1 == counted.executions()
    assert "recompute(differs): moody in:a.txt: moody/a.txt" in said.lines
    assert "5" == (counted.dataset.path / "moody/a.txt").read_text().strip()
    assert "Tea-Recompute: 1" in counted.dataset.do("git", "log", "-1", "--format=%B")
    changed = counted.dataset.do("git", "diff", "--name-only", "HEAD~1", "HEAD").splitlines()
    assert ["moody/a.txt", "moody/manifest.tsv"] == [p for p in changed if not p.endswith(".sig")]
    assert {"moody": (0, 1)} == counted.ledger()
    assert 0 == counted.dataset.tea("verify-commit", "--unsigned", "HEAD").code


def test_what_was_computed_last_is_what_is_known_from_then_on(counted: Counted) -> None:
    """After the results are removed, the recomputed ones come back, and nothing runs."""
    counted.dataset.tea("run", "--recompute", "-y", "moody")
    after = (counted.dataset.path / "moody/a.txt").read_text()
    counted.executions()
    counted.dataset.save({"moody/a.txt": None, "moody/b.txt": None, "moody/manifest.tsv": None})
    assert 0 == counted.dataset.tea("run", "-y").code

    assert 0 == counted.executions()
    assert after == (counted.dataset.path / "moody/a.txt").read_text()


def test_verify_compares_and_writes_nothing(counted: Counted) -> None:
    """Each datum gets its verdict, the dataset stays as it is, the ledger counts."""
    head = counted.dataset.do("git", "rev-parse", "HEAD")
    said = counted.dataset.tea("reproduce")

    assert 1 == said.code
    assert 4 == counted.executions()
    assert [
        "reproduce(differs): moody in:a.txt: moody/a.txt",
        "reproduce(differs): moody in:b.txt: moody/b.txt",
        "reproduce(ok): steady in:a.txt",
        "reproduce(ok): steady in:b.txt",
    ] == sorted(said.lines)
    assert (head, "") == (
        counted.dataset.do("git", "rev-parse", "HEAD"),
        counted.dataset.do("git", "status", "--porcelain"),
    )
    assert {"moody": (0, 2), "steady": (2, 0)} == counted.ledger()
    shown = counted.dataset.tea("reproduce", "--ledger").lines
    assert "steady: 2 same, 0 other bytes, 0 failed" in shown


@pytest.mark.long
def test_verify_takes_a_datum_and_an_earlier_commit(counted: Counted) -> None:
    """One datum runs; a stale one is skipped now, and verified at the commit that had it."""
    one = counted.dataset.tea("reproduce", "steady in:a.txt")
    assert ["reproduce(ok): steady in:a.txt"] == one.lines
    assert 1 == counted.executions()
    counted.dataset.save({"raw/a.txt": "other\n"})

    now = counted.dataset.tea("reproduce", "steady in:a.txt")
    assert (0, 0) == (now.code, counted.executions())
    assert "reproduce(skipped): steady in:a.txt: " in now.out
    then = counted.dataset.tea("reproduce", "steady in:a.txt", "--at", "HEAD~1")
    assert ["reproduce(ok): steady in:a.txt"] == then.lines


@pytest.mark.long
def test_words_that_mean_nothing_are_told(counted: Counted) -> None:
    """Neither verb runs anything for a name that is no pipeline and no datum."""
    assert 1 == counted.dataset.tea("reproduce", "nothing").code
    said = counted.dataset.tea("run", "--recompute", "-y", "nothing")
    assert (1, 0) == (said.code, counted.executions())
    assert "there is no pipeline or datum nothing" in said.err
