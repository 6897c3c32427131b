"""``tea-runner run --from FILE`` computes what a resolved file states, or nothing."""

from __future__ import annotations

import json

import pytest

from tests.cli.dataset import Dataset

#: All that ``shout`` has made; without its manifest, its results would be taken for code.
_SHOUTED = {"shout/manifest.tsv": None, "shout/a.txt": None, "shout/b.txt": None}


def _resolve(dataset: Dataset) -> None:
    said = dataset.tea("resolve", "--json")
    (dataset.path.parent / "resolved.json").write_text(said.out)


def test_a_run_from_the_file_has_the_keys_of_the_file(settled: Dataset) -> None:
    """Results and manifests are thrown away; the file brings exactly its datums back, in both pipelines."""
    _resolve(settled)
    stated = settled.tea("datums", "--from", "../resolved.json").lines
    settled.save({**_SHOUTED, "table/manifest.tsv": None, "table/table.txt": None})
    said = settled.tea("run", "-y", "--from", "../resolved.json")

    assert 0 == said.code, said
    assert ["shout", "table"] == [line.split()[1] for line in said.lines]
    assert stated == settled.tea("datums").lines
    assert "AA\nBB\n" == (settled.path / "table/table.txt").read_text()


@pytest.mark.long
def test_other_content_runs_nothing_and_names_the_datum(settled: Dataset) -> None:
    """A changed input and an added one are refused before any command of that pipeline runs."""
    _resolve(settled)
    head = settled.save({"raw/a.txt": "other\n"})
    said = settled.tea("run", "-y", "--from", "../resolved.json")
    assert (1, "") == (said.code, said.out)
    assert "shout in:a.txt: another key here" in said.err

    head = settled.save({"raw/a.txt": "aa\n", "raw/c.txt": "c\n"})
    said = settled.tea("run", "-y", "--from", "../resolved.json")
    assert 1 == said.code
    assert "shout in:c.txt: not in the file" in said.err
    assert head == settled.do("git", "rev-parse", "HEAD")


@pytest.mark.long
def test_one_pipeline_of_the_file_can_be_run(settled: Dataset) -> None:
    """Its name is asked of the file; a name that the file lacks is said."""
    _resolve(settled)
    settled.save(_SHOUTED)
    said = settled.tea("run", "-y", "--from", "../resolved.json", "shout")
    assert (0, ["shout"]) == (said.code, [line.split()[1] for line in said.lines])

    said = settled.tea("run", "-y", "--from", "../resolved.json", "nothing")
    assert 1 == said.code
    assert "resolved.json has no datum of nothing; it has shout, table" in said.err


@pytest.mark.long
def test_a_file_that_contradicts_itself_runs_nothing(settled: Dataset) -> None:
    """A stated key that the content of the file does not give is named."""
    whole = settled.tea("resolve", "--json").json
    whole["pipelines"][0]["datums"][1]["key"] = "0" * 64
    (settled.path.parent / "resolved.json").write_text(json.dumps(whole))
    said = settled.tea("run", "-y", "--from", "../resolved.json")

    assert 1 == said.code
    assert "shout in:b.txt: its content has the key" in said.err
    assert 2 == settled.tea("run", "--from", "../resolved.json", "--recompute").code
