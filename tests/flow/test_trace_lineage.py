"""From a result to the files that people brought, and from a file to what was made of it."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import NotFound
from tea_runner.core.results.lineage import Lineage
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Gitlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN
from tests.twins.queries import descendants, lineage
from tests.twins.specs import gitmodules, pfs, spec
from tests.twins.subdatasets import MemorySubdatasets

RESULT = "sum/in-_.txt"


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """A chain whose results are published."""
    lab.push({**CHAIN, "code/tool.py": "1"})
    lab.settle()
    return lab


def steps(found: Lineage) -> list[tuple[str, str]]:
    """Pipeline and datum of each step, in order."""
    return [(step.pipeline, step.datum) for step in found.steps.values()]


def paths(found: Lineage) -> set[str]:
    """Paths of all files."""
    return {file.path for file in found.files.values()}


def test_a_result_leads_to_the_files_that_people_brought(settled: MemoryLab) -> None:
    """Step by step, with inputs and code."""
    found = lineage(settled, [RESULT])

    assert steps(found) == [("sum", "in:/"), ("copy", "in:a"), ("copy", "in:b")]
    assert paths(found) == {
        RESULT,
        "copy/in-a.txt",
        "copy/in-b.txt",
        "raw/a",
        "raw/b",
        "code/tool.py",
    }
    (root,) = found.roots
    assert found.files[root].path == RESULT


def test_a_step_names_its_record_command_and_commit(settled: MemoryLab) -> None:
    """What repeats it, and where its inputs were."""
    found = lineage(settled, ["copy/in-a.txt"])
    (step,) = found.steps.values()

    assert (step.command, step.environment, step.spec) == (("make-it",), ("host",), "copy/spec.yml")
    assert step.subject == "copy: 2 of 2 datums changed"
    assert settled.dataset.objects.commit(step.record).message.startswith(step.subject)
    assert step.note == ""


def test_a_step_names_the_signer_that_proves_its_row(settled: MemoryLab) -> None:
    """Of the manifest, or of an equal row of the history; none for a row that a person edited."""
    manifest = settled.text("copy/manifest.tsv")
    first = next(line for line in manifest.splitlines() if line.startswith("in:a"))
    edited = first.replace("done", "recovered")
    settled.push({"copy/manifest.tsv": manifest.replace(first, edited)})
    found = lineage(settled, [RESULT])
    signers = {(step.pipeline, step.datum): step.signer for step in found.steps.values()}

    assert edited != first
    assert signers == {("sum", "in:/"): "lab", ("copy", "in:a"): "", ("copy", "in:b"): "lab"}


def test_an_input_of_a_person_has_no_step(settled: MemoryLab) -> None:
    """It is where lineage ends."""
    found = lineage(settled, ["raw/a"])

    assert steps(found) == []
    assert paths(found) == {"raw/a"}


def test_shared_steps_are_followed_once(settled: MemoryLab) -> None:
    """Two results of one datum chain have one step each."""
    found = lineage(settled, [RESULT, RESULT, "copy/in-a.txt"])

    assert len(found.steps) == 3
    assert len(found.roots) == 3


def test_a_stale_result_is_traced_at_the_commit_it_was_made_of(settled: MemoryLab) -> None:
    """Its inputs are those of then."""
    old = settled.tip()
    settled.push({"raw/a": "other"})
    found = lineage(settled, ["copy/in-a.txt"])
    (step,) = found.steps.values()
    (read,) = step.inputs

    assert step.at in (old, *settled.dataset.objects.commit(old).parents)
    assert found.files[read].commit == step.at
    (now,) = lineage(settled, ["raw/a"]).files.values()
    assert found.files[read].content != now.content


def test_without_history_a_stale_step_says_what_to_fetch(settled: MemoryLab) -> None:
    """The result is known, its inputs are not."""
    settled.push({"raw/a": "other"})
    found = lineage(settled, ["copy/in-a.txt"], history=False)
    (step,) = found.steps.values()

    assert step.note == "its inputs are in no commit of this clone; fetch the whole history"
    assert (step.record, step.inputs) == ("", ())


def test_pipelines_at_odds_have_made_nothing(settled: MemoryLab) -> None:
    """The path is then a file like any other."""
    settled.push({"other/spec.yml": spec("copy")})

    assert steps(lineage(settled, [RESULT])) == []


def test_a_former_pipeline_that_cannot_be_derived_tells_nothing(settled: MemoryLab) -> None:
    """Its input is gone: the commit of its record is used."""
    settled.push({"raw/a": None, "raw/b": None})
    found = lineage(settled, ["copy/in-a.txt"])
    (step,) = found.steps.values()

    assert [found.files[each].path for each in step.inputs] == ["raw/a"]


def test_a_file_leads_to_what_was_made_of_it(settled: MemoryLab) -> None:
    """Through results that are inputs of others."""
    assert steps(descendants(settled, "raw/a")) == [("copy", "in:a"), ("sum", "in:/")]
    assert steps(descendants(settled, "raw")) == steps(descendants(settled, "code/tool.py"))


def test_nothing_was_made_of_a_changed_file(settled: MemoryLab) -> None:
    """Only what is current at this commit is told."""
    settled.push({"raw/a": "other"})

    with pytest.raises(NotFound, match="was made from raw/a"):
        descendants(settled, "raw/a")


def test_an_annexed_file_is_known_by_its_key(lab: MemoryLab) -> None:
    """Lineage can name it where its path is gone."""
    lab.push({"raw/a": Annexed("x"), "copy/spec.yml": spec("copy")})
    lab.settle()
    keys = {file.key for file in lineage(lab, ["copy/in-a.txt"]).files.values()}

    assert keys == {"", Annexed("x").key}


def test_lineage_goes_through_subdatasets(lab: MemoryLab) -> None:
    """A result there, made by a pipeline of its own, with paths of the dataset that was asked."""
    below = MemoryLab(MemoryDataset("lab/below"))
    below.push({"raw/a": "1", "copy/spec.yml": spec("copy")})
    below.settle()
    lab.dataset.subdatasets = MemorySubdatasets(below.dataset)
    lab.push(
        {
            ".gitmodules": gitmodules(sub="../below"),
            "sub": Gitlink(below.tip()),
            "use/spec.yml": spec("use", pfs("sub/copy", "/*.txt")),
        }
    )
    lab.settle()
    found = lineage(lab, ["use/in-in-a.txt.txt"])

    assert steps(found) == [("use", "in:in-a.txt"), ("copy", "in:a")]
    assert "sub/raw/a" in paths(found)
    datasets = {step.dataset for step in found.steps.values()}
    assert datasets == {"", "sub"}
