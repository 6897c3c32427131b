"""Outputs never steer: no name that makes a result a pipeline, a known result or a rule is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.results.refused_outputs import WrittenFile, refusals
from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge
from tests.twins.files import Content
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO

_NAMES = [
    "spec.yml",
    "spec.yaml",
    "spec.json",
    "SPEC.JSON",
    "Spec.Yaml.",
    "spec.json ",
    "\uff53\uff50\uff45\uff43.json",
    "spec\u2024json",
    "sp\u00adec.yml",
    "spec\ufe0f.yml",
    "spec.yml:stream",
    "SPEC~1.JSO",
    "manifest.tsv",
    "MANIFEST.TSV",
    "manifest.tsv.sig",
    "manifest.sig",
    "Manifest.D",
    "MANIFE~1.TSV",
    "ma\u200bnifest.tsv",
    ".gitattributes",
    ".GITMODULES",
    ".g\u200cit",
    ".datalad",
    ".Gitea",
    ".woodpecker.yml",
]
_ALLOWED = ["specs.json", "spec.toml", "my-spec.json", "manifest.json", "manifests.tsv", "spec"]


@pytest.fixture
def lab() -> MemoryLab:
    """A dataset whose commands are functions."""
    return MemoryLab()


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("path", ["{}", "deep/er/{}", "{}/below"])
def test_a_name_that_steers_is_refused_however_it_is_spelled(name: str, path: str) -> None:
    """At every depth, as file and as directory."""
    written = WrittenFile(path=path.format(name))
    assert [written.path] == list(dict.fromkeys(each.path for each in refusals([written])))


@pytest.mark.parametrize("name", _ALLOWED)
def test_names_that_resemble_them_are_results(name: str) -> None:
    """The list is not longer than its reasons."""
    assert [] == refusals([WrittenFile(path=f"deep/{name}")])


@pytest.mark.parametrize("name", _NAMES)
def test_a_stored_result_of_such_a_name_is_not_settled(lab: MemoryLab, name: str) -> None:
    """Results that an older worker stored are looked at once more before the results commit."""
    pushed = lab.push(TWO)

    def command(label: str, key: str) -> dict[str, Content]:
        return {f"{label[-1]}/x/{name}": key}

    done, _ = lab.settle(command=command)
    assert (pushed, "failed") == (lab.tip(), done.pipelines["copy"].state)
    assert "has a special meaning" in done.pipelines["copy"].detail


def test_datums_cannot_make_a_bare_repository_together(lab: MemoryLab) -> None:
    """Each writes a part of one; git would use its configuration."""
    parts = {"raw/a": "1", "raw/b": "2", "raw/c": "3"}
    pushed = lab.push({**TWO, **parts})
    names = {"a": "x/HEAD", "b": "x/objects/o", "c": "x/refs/r"}

    def command(label: str, key: str) -> dict[str, Content]:
        return {names[label[-1]]: key}

    done, _ = lab.settle(command=command)
    assert (pushed, "failed") == (lab.tip(), done.pipelines["copy"].state)
    assert "looks like a git repository" in done.pipelines["copy"].detail


def test_a_datum_cannot_complete_a_bare_repository(lab: MemoryLab) -> None:
    """The other parts were published before."""
    lab.push(TWO)
    names = {"a": "x/HEAD", "b": "x/objects/o", "c": "x/refs/r"}

    def command(label: str, key: str) -> dict[str, Content]:
        return {names[label[-1]]: key}

    done, _ = lab.settle(command=command)
    assert "settled" == done.pipelines["copy"].state
    lab.push({"raw/c": "3"})
    done, _ = lab.settle(command=command)
    assert "failed" == done.pipelines["copy"].state
    assert "looks like a git repository" in done.pipelines["copy"].detail


def test_a_pipeline_in_a_reserved_folder_is_refused(lab: MemoryLab) -> None:
    """Its results would be read by another program; the place of a datum's outputs counts, too."""
    lab.push({**TWO, ".forgejo/workflows/spec.yml": spec("evil", "true")})
    done, _ = lab.settle()
    assert ["copy"] == list(done.pipelines)
    (problem,) = done.problems
    assert "evil would publish into .forgejo/workflows" in problem


def test_a_datum_whose_folder_is_reserved_is_refused(lab: MemoryLab) -> None:
    """``output.path`` may come from the name of an input."""
    text = json.dumps(
        {
            "pipeline": {"name": "copy"},
            "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/(*)"}},
            "transform": {"cmd": ["make-it"]},
            "output": {"path": ".$1/workflows"},
        }
    )
    lab.push({"raw/gitea": "1", "copy/spec.yml": text})
    done, _ = lab.settle()
    assert "failed" == done.pipelines["copy"].state
    assert "has a special meaning" in done.pipelines["copy"].detail


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server whose pipelines may use a secret."""
    canary = tmp_path / "canary"
    canary.write_text("canary-of-the-operator")
    table = f'[[secrets]]\nname = "token"\nfile = "{canary}"\nrepositories = ["lab/mine"]\n'
    made = HostileForge(tmp_path / "all", settings=table)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["spec.json", "spec.yaml", "sub/spec.json", "Spec.YML"])
def test_an_output_does_not_become_a_pipeline_with_secrets(forge: HostileForge, name: str) -> None:
    """The canary of the operator is in no file of the branch."""
    evil = {
        "pipeline": {"name": "evil"},
        "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*"}},
        "transform": {
            "cmd": ["sh", "-c", 'printf %s "$TOKEN" | rev >"$PFS/out/leak"'],
            "secrets": [{"name": "token", "env_var": "TOKEN"}],
        },
    }
    script = f"mkdir $PFS/out/sub; cat up/code.json >$PFS/out/{name}"
    forge.make(
        "mine",
        {"files": {"up/spec.yml": spec("up", script), "up/code.json": json.dumps(evil)}},
    )
    for _ in range(4):
        met = forge.meet("mine")
    assert {"up/code.json": json.dumps(evil).encode()} == met.outputs
    assert "failed" == met.state
    assert f"'{name}' is not allowed" in met.said
