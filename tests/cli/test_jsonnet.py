"""Pipeline files from Jsonnet templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_TEMPLATE = """\
local command = import 'command.libsonnet';
function(suffix, src='raw') {
  pipeline: { name: 'copy-' + suffix },
  input: { pfs: { name: 'in', repo: src, glob: '/*' } },
  transform: command,
}
"""
_COMMAND = "{ cmd: ['sh', '-c', 'cp \"$PFS\"/in/* \"$PFS/out\"'] }\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A dataset beside a template."""
    (tmp_path / "copy.jsonnet").write_text(_TEMPLATE)
    (tmp_path / "command.libsonnet").write_text(_COMMAND)
    return Dataset(tmp_path / "data", {"raw/a": "1\n"})


def test_a_template_becomes_a_pipeline_file_that_runs(dataset: Dataset) -> None:
    """With its arguments and imports; the file in git says everything."""
    done = dataset.tea("init", "--jsonnet", "../copy.jsonnet", "--arg", "suffix=one")
    assert 0 == done.code, done
    assert "write(ok): copy-one/spec.json" in done.lines
    document = json.loads((dataset.path / "copy-one/spec.json").read_text())
    assert ("copy-one", "raw") == (document["pipeline"]["name"], document["input"]["pfs"]["repo"])
    dataset.save()
    assert 0 == dataset.tea("run", "-y").code
    assert "1\n" == (dataset.path / "copy-one/a").read_text()


def test_a_list_of_pipelines_is_one_file(dataset: Dataset) -> None:
    """In the folder of the name that is given."""
    text = f"local one = {_TEMPLATE.partition(';')[2].strip()}; function() [one('a'), one('b')]\n"
    (dataset.path.parent / "many.jsonnet").write_text(
        f"local command = import 'command.libsonnet';\n{text}"
    )
    assert 0 == dataset.tea("init", "many", "--jsonnet", "../many.jsonnet").code
    dataset.save()
    assert 0 == dataset.tea("lint").code
    assert {"copy-a", "copy-b"} == {
        row["name"] for row in dataset.tea("plan", "--json").json["pipelines"]
    }


@pytest.mark.long
@pytest.mark.parametrize(
    ("template", "words", "sentence"),
    [
        ("copy.jsonnet", [], "suffix"),
        ("copy.jsonnet", ["--arg", "suffix"], "--arg suffix: expected PARAM=VALUE"),
        ("nothing.jsonnet", [], "there is no template"),
        ("odd.jsonnet", [], "template odd.jsonnet makes no pipeline"),
        ("broken.jsonnet", [], "template broken.jsonnet: STATIC ERROR"),
        ("copy.jsonnet", ["--arg", "suffix=/../x"], "copy-/../x is not a valid pipeline name"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(
    dataset: Dataset, template: str, words: list[str], sentence: str
) -> None:
    """In a sentence; nothing is written."""
    (dataset.path.parent / "odd.jsonnet").write_text("[1]")
    (dataset.path.parent / "broken.jsonnet").write_text("{")
    done = dataset.tea("init", "--jsonnet", f"../{template}", *words)
    assert done.code in (1, 2), done
    assert sentence in done.err, done
    assert "" == dataset.do("git", "status", "--short")
