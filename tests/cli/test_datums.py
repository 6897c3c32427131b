"""``tea-runner datums`` and ``resolve``: keys from git, and the same keys from the resolved file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import SHOUT, Dataset, tea

_HIDDEN = SHOUT.replace('"/*"', '"/(*)"') + "output: {path: $1}\nsalt: s\n"
_OWN_PATHS = """\
pipeline: {name: shout}
view: dataset
outputs: ["$1"]
input: {pfs: {repo: raw, glob: "/(*)"}}
transform: {cmd: ["sh", "-c", "cat {inputs} >{outputs}"], env: {B: "1", A: "no"}, code: ["/raw/b.txt"]}
"""
_MANY = """\
pipeline: {name: shout}
input:
  join:
  - pfs: {name: x, repo: raw, glob: "/(*).txt", join_on: "$1"}
  - pfs: {name: y, repo: raw, glob: "/(*).txt", join_on: "$1", empty_files: true}
transform: {cmd: ["true"], stdin: ["017", "yes"], accept_return_code: [3, 1], user: "12:30:45"}
"""


def test_each_datum_is_a_line_with_its_key(settled: Dataset) -> None:
    """Pipeline, datum, 64 hex digits; with --files the files and their content."""
    said = settled.tea("datums")
    keys = {line.split("\t")[1] for line in _manifest(settled)}

    assert ["shout in:a.txt", "shout in:b.txt", "table in:/"] == [
        line.rpartition(" ")[0] for line in said.lines
    ]
    assert keys == {line.rpartition(" ")[2] for line in said.lines}
    (row, *_) = settled.tea("datums", "shout", "--files", "--json").json
    assert ("raw/a.txt", "in/a.txt", 3) == tuple(
        row["files"][0][name] for name in ("path", "seen", "size")
    )


def _manifest(dataset: Dataset) -> list[str]:
    lines = []
    for home in ("shout", "table"):
        text = (dataset.path / home / "manifest.tsv").read_text()
        lines += [line for line in text.splitlines()[1:] if not line.startswith(("#", "datum\t"))]
    return lines


def test_another_commit_can_be_asked(dataset: Dataset) -> None:
    """--at lists what the datums were there."""
    dataset.save({"raw/c.txt": "c\n"})

    assert 3 == len(dataset.tea("datums", "shout").lines)
    assert 2 == len(dataset.tea("datums", "shout", "--at", "HEAD~1").lines)


@pytest.mark.long
@pytest.mark.parametrize("spec", [SHOUT, _HIDDEN, _OWN_PATHS, _MANY])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_resolved_file_alone_gives_the_same_keys(
    dataset: Dataset, tmp_path: Path, spec: str, form: tuple[str, ...]
) -> None:
    """Every key follows from what resolve wrote, far from the dataset."""
    name = b"raw/\xff odd: #.txt".decode("utf-8", "surrogateescape")
    (dataset.path / name).write_text("odd\n")
    dataset.save({"shout/spec.yml": spec})
    said = dataset.tea("resolve", "shout", *form)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "resolved").write_text(said.out, "utf-8", "surrogateescape")
    again = tea(elsewhere, "datums", "--from", "resolved")

    assert (0, dataset.tea("datums", "shout").out) == (again.code, again.out)
    assert len(again.lines) == 3


def test_a_changed_resolved_file_is_caught(dataset: Dataset) -> None:
    """When the content of the file gives other keys than it states, the command fails and says which."""
    whole = dataset.tea("resolve", "shout", "--json").json
    whole["pipelines"][0]["datums"][0]["inputs"][0]["files"][0]["size"] += 1
    (dataset.path / "resolved").write_text(json.dumps(whole))
    said = dataset.tea("datums", "--from", "resolved")

    assert said.code == 1
    assert "problem: shout in:a.txt: resolved states another key" in said.err


def test_resolve_leaves_nothing_open(dataset: Dataset) -> None:
    """Defaults, the commit, content and annex keys are written out."""
    whole = dataset.tea("resolve", "--json").json
    (shout, table) = whole["pipelines"]

    assert dataset.do("git", "rev-parse", "HEAD") == whole["commit"]
    assert (3, "fail", "until_success") == tuple(
        shout["spec"][name] for name in ("datum_tries", "on_failure", "reprocess")
    )
    assert ["host"] == shout["environment"]
    assert ["shout/shout.sh"] == [row["path"] for row in shout["code"]]
    assert ["in:a.txt", "in:b.txt"] == [row["datum"] for row in shout["datums"]]
    assert [] == table["datums"]  # Its input has no results yet.
