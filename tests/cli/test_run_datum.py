"""``tea-runner run DATUM``: one datum is computed and kept, and committed when its pipeline is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_COUNTING = """\
pipeline: {{name: {name}}}
input: {{pfs: {{name: in, repo: {repo}, glob: "/*"}}}}
datum_tries: 1
transform:
  cmd: [sh, -c, 'f=$(ls $PFS/in); echo $f >> {count}; ! grep bad $PFS/in/$f && cp $PFS/in/$f $PFS/out']
"""


class Counted:
    """A dataset whose commands write down the name of each file that they were run for."""

    def __init__(self, path: Path) -> None:
        self.count = path / "executions"
        self.count.touch()
        specs = {
            f"{name}/spec.yml": _COUNTING.format(name=name, repo=repo, count=self.count)
            for name, repo in (("fit", "raw"), ("table", "fit"))
        }
        files = {f"raw/{name}.txt": f"{name}\n" for name in ("a", "b", "bad")}
        self.dataset = Dataset(path / "data", {**files, **specs})

    def executions(self) -> list[str]:
        """Of which files commands were run since last asked."""
        names = self.count.read_text().split()
        self.count.write_text("")
        return names


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    """That dataset; nothing has run."""
    return Counted(tmp_path)


def test_one_datum_is_computed_and_kept(counted: Counted) -> None:
    """Nothing is committed before the others are there; the next run computes those only."""
    dataset = counted.dataset
    head = dataset.do("git", "rev-parse", "HEAD")
    said = dataset.tea("run", "-y", "in:b.txt")
    assert 0 == said.code, said
    assert ["b.txt"] == counted.executions()
    assert "run(ok): fit in:b.txt" in said.lines
    assert "2 other datums of fit are not computed yet" in said.err
    assert head == dataset.do("git", "rev-parse", "HEAD")

    assert 0 == dataset.tea("run", "-y", "fit", "in:a.txt").code
    assert ["a.txt"] == counted.executions()
    again = dataset.tea("run", "-y", "in:b.txt")
    assert "reuse(ok): fit in:b.txt" in again.lines
    dataset.save({"raw/bad.txt": None})
    done = dataset.tea("run", "-y", "fit")
    assert (0, []) == (done.code, counted.executions())
    assert "b\n" == (dataset.path / "fit/b.txt").read_text()


@pytest.mark.long
def test_a_datum_that_fails_says_why(counted: Counted) -> None:
    """And the exit code is 1; the last one to be there has the results committed."""
    dataset = counted.dataset
    said = dataset.tea("run", "-y", "in:bad.txt")
    assert 1 == said.code
    assert "run(error): fit in:bad.txt the command exited 1" in said.out
    shown = dataset.tea("--json", "run", "-y", "in:bad.txt", "in:a.txt")
    assert 1 == shown.code
    assert [("in:a.txt", "done"), ("in:bad.txt", "failed")] == sorted(
        (row["datum"], row["state"]) for row in shown.json["datums"]
    )
    dataset.save({"raw/bad.txt": "mended\n"})
    assert 0 == dataset.tea("run", "-y", "in:b.txt").code
    last = dataset.tea("run", "-y", "in:bad.txt")
    assert 0 == last.code, last
    assert "run(ok): fit in:bad.txt" in last.lines
    assert "mended\n" == (dataset.path / "fit/bad.txt").read_text()


def test_a_dry_run_and_an_unknown_name(counted: Counted) -> None:
    """Name a datum in the plan; did-you-mean for pipelines."""
    said = counted.dataset.tea("run", "-n", "in:b.txt")
    assert 0 == said.code, said
    assert "in:b.txt" in said.out
    assert "in:a.txt" not in said.out
    unknown = counted.dataset.tea("run", "-y", "fot")
    assert (1, True) == (unknown.code, "did you mean fit?" in unknown.err)
    assert [] == counted.executions()
