"""Symlinks of a dataset in the terminal: run, plan of unsaved links, why, and ``datalad rerun``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_SPEC = """\
pipeline: {name: up}
input: {pfs: {name: data, repo: raw, glob: "/*"}}
transform: {cmd: [sh, code/run.sh]}
"""
_RUN = 'cp -r "$data" "$PFS/out/"; test -z "$(find "$PFS/data" -type l)"\n'
_FILES = {
    "up/spec.yml": _SPEC,
    "code/v2/run.sh": _RUN,
    "raw/v2/a.txt": "a\n",
    ".gitattributes": "* annex.largefiles=nothing\n*.dat annex.largefiles=anything\n",
}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A dataset with links in its input and its code."""
    made = Dataset(tmp_path / "data")
    made.write({**_FILES, "raw/sub-1.0.dat": "annexed\n"})
    (made.path / "raw/latest.dat").symlink_to("sub-1.0.dat")
    (made.path / "raw/cur").symlink_to("v2")
    (made.path / "code/run.sh").symlink_to("v2/run.sh")
    made.save()
    return made


def test_commands_see_files_and_folders_in_place_of_links(dataset: Dataset) -> None:
    """With the content of what the links lead to; no link is left."""
    said = dataset.tea("run", "-y")

    assert 0 == said.code, said
    assert "annexed\n" == (dataset.path / "up/latest.dat").read_text()
    assert "a\n" == (dataset.path / "up/cur/a.txt").read_text()
    assert not (dataset.path / "up/cur").is_symlink()
    assert "nothing to do" in dataset.tea("plan").out.lower()


@pytest.mark.long
def test_a_link_that_is_not_saved_yet_is_planned(dataset: Dataset) -> None:
    """``plan --unsaved`` follows links as they lie in the folder."""
    dataset.tea("run", "-y")
    (dataset.path / "raw/latest.dat").unlink()
    (dataset.path / "raw/latest.dat").symlink_to("v2/a.txt")

    assert "run(input-changed): up data:latest.dat" in dataset.tea("plan", "--unsaved").out


@pytest.mark.long
def test_why_names_what_a_link_leads_to(dataset: Dataset) -> None:
    """Both ways: by the link, and in the lineage of its result."""
    dataset.tea("run", "-y")
    assert "up data:latest.dat" in dataset.tea("why", "raw/latest.dat").out
    assert "raw/sub-1.0.dat" in dataset.tea("lineage", "up/latest.dat").out


@pytest.mark.long
def test_lineage_knows_results_that_are_links(tmp_path: Path) -> None:
    """To a file, and to a folder; from there back to what they were made from."""
    spec = """\
pipeline: {name: up}
input: {pfs: {name: data, repo: raw, glob: "/"}}
transform:
  cmd: [sh, -c, 'cd $PFS/out; mkdir m; cat $data/* > m/1; ln -s m/1 latest; ln -s m cur']
"""
    made = Dataset(tmp_path / "data", {"raw/a": "a\n", "up/spec.yml": spec})
    assert 0 == made.tea("run", "-y").code
    for path in ("up/latest", "up/cur", "up/m/1"):
        assert "raw/a" in made.tea("lineage", path).out


@pytest.mark.long
def test_a_broken_link_fails_alone(dataset: Dataset) -> None:
    """``run`` names it, and computes what needs it not; a link in code stops nothing."""
    (dataset.path / "raw/gone").symlink_to("nowhere")
    (dataset.path / "code/python").symlink_to("/usr/bin/python3")
    dataset.save({"up/spec.yml": f"{_SPEC}on_failure: publish\n"})
    said = dataset.tea("run", "-y")

    assert 1 == said.code, said
    assert "raw/gone is a link to nowhere: there is no raw/nowhere in this dataset" in (
        said.out + said.err
    )
    assert (dataset.path / "up/latest.dat").exists()


def test_why_gives_advice_that_helps(dataset: Dataset) -> None:
    """A link that leads nowhere is no attempt that failed: a retry does not help."""
    (dataset.path / "raw/gone").symlink_to("nowhere")
    dataset.save()
    said = dataset.tea("why", "raw/gone").out

    assert "failed(broken-link): up data:gone" in said
    assert "raw/gone is a link to nowhere" in said
    assert "retry" not in said


def test_stock_datalad_rerun_repeats_a_datum_with_links(tmp_path: Path) -> None:
    """In a fresh clone without content: the record names what the link leads to."""
    made = Dataset(tmp_path / "data")
    spec = """\
pipeline: {name: up}
view: dataset
input: {pfs: {name: data, repo: raw, glob: "/latest.dat"}}
transform: {cmd: [cp, '{inputs}', '{outputs}']}
outputs: [copy.txt]
"""
    made.write({**_FILES, "up/spec.yml": spec, "store/sub-1.0.dat": "annexed\n"})
    (made.path / "raw").mkdir(exist_ok=True)
    (made.path / "raw/latest.dat").symlink_to("../store/sub-1.0.dat")
    made.save()
    assert 0 == made.tea("run", "-y").code
    made.do("git", "annex", "get", "-q", ".")
    made.do("git", "clone", "-q", str(made.path), str(tmp_path / "clone"))
    clone = Dataset(tmp_path / "clone")
    clone.do("datalad", "-l", "error", "rerun", "HEAD")

    assert "annexed\n" == (clone.path / "up/copy.txt").read_text()
    assert made.do("git", "rev-parse", "HEAD:up/copy.txt") == clone.do(
        "git", "rev-parse", "HEAD:up/copy.txt"
    )
