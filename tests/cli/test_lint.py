"""``tea-runner lint`` finds everything at once, saved or not, and says where and what to write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.dataset import FILES, SHOUT, TABLE, Dataset, tea


def test_a_clean_dataset_has_nothing_to_mend(dataset: Dataset) -> None:
    """No problem is code 0 and one line that counts the files."""
    said = dataset.tea("lint")

    assert (0, "2 pipeline files: no problems found.\n", "") == said


def test_all_problems_of_all_files_come_at_once(dataset: Dataset) -> None:
    """Each has its file, line, column, key, what is wrong, and what to write instead."""
    dataset.write(
        {
            "shout/spec.yml": SHOUT.replace("glob:", "golb:"),
            "table/spec.yml": TABLE.replace("repo: shout", "repo: shuot"),
        }
    )
    said = dataset.tea("lint", "--json")

    found = {(r["file"], r["line"], r["column"], r["key"], r["hint"]) for r in said.json}
    assert said.code == 1
    assert ("shout/spec.yml", 7, 5, "input.pfs.golb", "did you mean 'glob'?") in found
    assert ("table/spec.yml", 6, 5, "input.pfs.repo", "did you mean shout?") in found


def test_what_is_not_saved_yet_is_looked_at(dataset: Dataset) -> None:
    """A new file with a mistake is found before it is committed, and nothing is written to git."""
    before = dataset.do("git", "count-objects", "-v"), dataset.do("git", "status", "--porcelain")
    dataset.write({"new/spec.yml": SHOUT.replace("name: shout", "name: new").replace("raw", "rwa")})
    said = dataset.tea("lint")
    (dataset.path / "new/spec.yml").unlink()
    (dataset.path / "new").rmdir()
    after = dataset.do("git", "count-objects", "-v"), dataset.do("git", "status", "--porcelain")

    line = "there is no pipeline or directory rwa in this dataset; did you mean raw?"
    assert f"new/spec.yml:6:5: error: input.pfs.repo: {line}" == said.lines[0]
    assert before == after


def test_it_says_what_the_plan_would_say(dataset: Dataset) -> None:
    """A mistake has the same words before the commit and in the plan after it."""
    dataset.write({"table/spec.yml": TABLE.replace("repo: shout", "repo: rawa")})
    before = dataset.tea("lint", "--json").json
    dataset.save()
    planned = dataset.tea("plan", "--json").json["pipelines"]

    (row,) = [row for row in planned if row["name"] == "table"]
    assert f"{before[0]['message']}; {before[0]['hint']}" in row["detail"]


def test_circles_and_twins_are_named_in_full(dataset: Dataset) -> None:
    """Every pipeline on a circle is named; a second pipeline of one name names the first one's file."""
    dataset.write(
        {
            "shout/spec.yml": SHOUT.replace("repo: raw", "repo: table"),
            "self/spec.yml": SHOUT.replace("shout", "self").replace("repo: raw", "repo: self"),
            "twin/spec.yml": TABLE,
        }
    )
    said = dataset.tea("lint")

    assert said.code == 1
    assert "cycle: shout → table → shout" in said.out
    assert "pipeline self would read its own results" in said.out
    assert "two pipelines are called table; the other is in table/spec.yml" in said.out


def test_a_script_that_the_command_will_not_see_is_a_bad_habit(dataset: Dataset) -> None:
    """The commonest mistake is a warning with the line to write; --strict makes it fail."""
    dataset.write(
        {"tools/x.sh": "true\n", "shout/spec.yml": SHOUT.replace("shout/shout.sh", "tools/x.sh")}
    )
    said = dataset.tea("lint")

    assert said.code == 0
    assert "warning: transform.cmd[1]: the command does not see tools/x.sh" in said.out
    assert 'write transform.code: ["/tools/x.sh"]' in said.out
    assert dataset.tea("lint", "--strict").code == 1


def test_a_glob_that_matches_nothing_is_said(dataset: Dataset) -> None:
    """Zero datums is no error, but seldom meant."""
    dataset.write({"shout/spec.yml": SHOUT.replace('"/*"', '"/*.csv"')})

    assert "warning: input.pfs.glob: /*.csv matches nothing in raw" in dataset.tea("lint").out


def test_a_pipeline_file_that_would_be_annexed_is_said(tmp_path: Path) -> None:
    """In a dataset that annexes all files, the rule to write is named before the harm is done."""
    dataset = Dataset(tmp_path)
    dataset.write(FILES)
    said = dataset.tea("lint")

    assert "add to shout/.gitattributes: /spec.yml annex.largefiles=nothing" in said.out


def test_it_works_outside_of_git(tmp_path: Path) -> None:
    """A folder that is no repository is looked at as if it were to be one."""
    (tmp_path / "shout").mkdir()
    (tmp_path / "shout/spec.yml").write_text(SHOUT)
    said = tea(tmp_path, "lint")

    assert said.code == 1
    assert "there is no pipeline or directory raw in this dataset" in said.out


def test_a_named_file_is_looked_at_alone(dataset: Dataset) -> None:
    """Problems of other files are not told, and paths count from where the person is."""
    dataset.write({"shout/spec.yml": "x: 1\n", "table/spec.yml": "y: 1\n"})
    said = dataset.tea("-C", "table", "lint", "--json", "spec.yml")

    assert {"table/spec.yml"} == {row["file"] for row in said.json}


@pytest.mark.long
def test_inputs_in_subdatasets_are_looked_at(dataset: Dataset) -> None:
    """At any depth, at their pins; one that is not installed is named with the words of the plan."""
    inner = Dataset(dataset.path / "inputs/raw", {"deep/a.txt": "a\n"})
    deepest = Dataset(inner.path / "more", {"b/b.txt": "b\n"})
    for outer, path in ((inner, "more"), (dataset, "inputs/raw")):
        text = f'[submodule "x"]\n\tpath = {path}\n\turl = ./{path}\n'
        outer.save({".gitmodules": text})
    inputs = ("inputs/raw", "inputs/raw/deep", "inputs/raw/more/b")
    spec = FILES["table/spec.yml"]
    dataset.save(
        {
            f"t{number}/spec.yml": spec.replace("table", f"t{number}").replace(
                ": shout", f": {path}"
            )
            for number, path in enumerate(inputs)
        }
    )
    assert (0, "") == (dataset.tea("lint").code, dataset.tea("lint", "--json").json or "")

    shutil.rmtree(deepest.path)
    said = dataset.tea("lint")
    assert 1 == said.code
    # The whole of inputs/raw has it inside; what is asked of inputs/raw/deep has not.
    assert ["t0", "t2"] == [line[:2] for line in said.lines if " error: " in line]
    assert "subdataset inputs/raw/more is not installed here" in said.out
    assert "datalad get -n inputs/raw/more" in said.out
