"""``tea-runner lineage`` leads from a result to what people brought, and back down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prov.model import ProvDocument

from tests.cli.dataset import Dataset


def told(dataset: Dataset, *words: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Files by id, and steps by "pipeline datum", as JSON tells them; and the whole."""
    said = dataset.tea("lineage", "--json", *words)
    assert 0 == said.code, said
    whole = said.json
    files = {file["id"]: file for file in whole["files"]}
    return files, {f"{s['pipeline']} {s['datum']}": s for s in whole["steps"]}, whole


def test_a_result_leads_through_two_pipelines_to_the_inputs(settled: Dataset) -> None:
    """Each step has its command, environment, key, record, inputs and code, with their contents."""
    files, steps, whole = told(settled, "table/table.txt")
    paths = {name: [files[i]["path"] for i in step["inputs"]] for name, step in steps.items()}

    assert {
        "table in:/": ["shout/a.txt", "shout/b.txt"],
        "shout in:a.txt": ["raw/a.txt"],
        "shout in:b.txt": ["raw/b.txt"],
    } == paths
    assert ["table/table.txt"] == [files[root]["path"] for root in whole["roots"]]
    step = steps["shout in:a.txt"]
    assert ["sh", "shout/shout.sh"] == step["command"]
    assert ["host"] == step["environment"]
    assert ["shout/shout.sh"] == [files[i]["path"] for i in step["code"]]
    (datum,) = [
        d
        for d in settled.tea("datums", "shout", "--files", "--json").json
        if d["datum"] == "in:a.txt"
    ]
    assert datum["key"] == step["key"]
    assert datum["files"][0]["content"] == files[step["inputs"][0]]["content"]
    record = settled.do("git", "show", "--stat", "--format=%s", step["record"])
    assert "[DATALAD RUNCMD] shout: in:a.txt" in record
    assert "shout/a.txt" in record


@pytest.mark.long
def test_an_earlier_result_is_told_from_the_inputs_of_its_time(settled: Dataset) -> None:
    """After an input changed, the result that stands still leads to the input that it was made of."""
    before = told(settled, "shout/a.txt")[0]
    settled.save({"raw/a.txt": "other\n"})
    files, steps, _ = told(settled, "shout/a.txt")

    (source,) = (files[i] for i in steps["shout in:a.txt"]["inputs"])
    assert {f["content"] for f in before.values() if f["path"] == "raw/a.txt"} == {
        source["content"]
    }
    assert settled.do("git", "rev-parse", "HEAD") != source["commit"]


@pytest.mark.long
@pytest.mark.parametrize("path", ["raw/a.txt", "shout/shout.sh"])
def test_an_input_leads_down_to_everything_made_of_it(settled: Dataset, path: str) -> None:
    """An input gives its own result and the table; a script gives all results of its pipeline."""
    files, steps, _ = told(settled, "--downstream", path)
    made = {files[i]["path"] for step in steps.values() for i in step["outputs"]}

    shouted = {"shout/a.txt"} if path == "raw/a.txt" else {"shout/a.txt", "shout/b.txt"}
    assert {*shouted, "table/table.txt"} == made
    assert "table in:/" in settled.tea("lineage", "--downstream", path).lines


@pytest.mark.long
def test_what_is_stale_was_not_made_of_it(settled: Dataset) -> None:
    """A changed input has no results yet, and that is said."""
    settled.save({"raw/a.txt": "other\n"})
    said = settled.tea("lineage", "--downstream", "raw/a.txt")

    assert 1 == said.code
    assert "nothing that is current at" in said.err


@pytest.mark.long
def test_lines_are_indented_by_distance(settled: Dataset) -> None:
    """The result first, its step below it, and below that the inputs with their steps."""
    lines = settled.tea("lineage", "table/table.txt").lines

    assert lines[0].startswith("table/table.txt  ")
    assert "  made by table in:/" in lines
    assert "    made by shout in:a.txt" in lines
    assert any(line.startswith("    raw/a.txt  ") for line in lines)


@pytest.mark.long
def test_a_subdataset_is_followed_into(settled: Dataset, tmp_path: Path) -> None:
    """A result over another dataset's results leads through its pipelines and commits, too."""
    outer = Dataset(tmp_path / "outer")
    outer.do(
        "git",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "-q",
        "add",
        str(settled.path),
        "sub",
    )
    spec = (
        "pipeline:\n  name: join\ninput:\n  pfs:\n    name: in\n    repo: sub/table\n    glob: /*.txt\n"
        'transform:\n  cmd: ["sh", "-c", "cat $PFS/in/* > $PFS/out/all.txt"]\n'
    )
    outer.save({".gitattributes": "* annex.largefiles=nothing\n", "join/spec.yml": spec})
    done = outer.tea("run", "-y")
    assert 0 == done.code, done
    files, steps, _ = told(outer, "join/all.txt")

    assert {"join in:table.txt", "table in:/", "shout in:a.txt", "shout in:b.txt"} == steps.keys()
    assert {"", "sub"} == {step["dataset"] for step in steps.values()}
    (source,) = (f for f in files.values() if f["path"] == "sub/raw/a.txt")
    assert "sub" == source["dataset"]
    settled.do("git", "cat-file", "-e", source["commit"] + "^{commit}")


@pytest.mark.long
def test_prov_says_the_same(settled: Dataset, tmp_path: Path) -> None:
    """The W3C PROV file is read by the library, with one activity per step and its uses."""
    file = tmp_path / "lineage.json"
    assert 0 == settled.tea("lineage", "table/table.txt", "--prov", str(file)).code
    document = ProvDocument.deserialize(str(file), format="json")
    raw = json.loads(file.read_text())

    assert {
        "prefix",
        "entity",
        "activity",
        "used",
        "wasGeneratedBy",
        "wasDerivedFrom",
    } == raw.keys()
    assert (3, 3) == (len(raw["activity"]), len(raw["wasGeneratedBy"]))
    assert 4 == len(raw["wasDerivedFrom"])
    assert document.get_records()


@pytest.mark.long
def test_what_cannot_be_told_is_said(settled: Dataset, tmp_path: Path) -> None:
    """No such file, a form that is not known, a missing library: one line with the next step."""
    assert "there is no file nothing" in settled.tea("lineage", "nothing").err
    said = settled.tea("lineage", "shout/a.txt", "--prov", str(tmp_path / "x.txt"))
    assert (2, True) == (said.code, "the name must end in" in said.err)
    (tmp_path / "prov").mkdir()
    (tmp_path / "prov" / "__init__.py").write_text("raise ImportError('none')\n")
    said = settled.tea(
        "lineage", "shout/a.txt", "--prov", "x.json", env={"PYTHONPATH": str(tmp_path)}
    )
    assert (1, True) == (said.code, "pip install 'tea-runner[provenance]'" in said.err)
