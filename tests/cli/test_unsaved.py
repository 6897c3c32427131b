"""Work that is not saved: what looks at the last commit says so, and names the files."""

from __future__ import annotations

import pytest

from tests.cli.dataset import SCRIPT, Dataset


def edit(dataset: Dataset) -> None:
    """A script and an input are changed, another input is new."""
    dataset.write({"shout/shout.sh": SCRIPT + "# more\n", "raw/b.txt": "b\n", "raw/new.txt": "n\n"})


@pytest.mark.parametrize("verb", ["plan", "status", "run", "datums"])
def test_unsaved_files_are_named(settled: Dataset, verb: str) -> None:
    """Once, beside the results and not among them; quiet is quiet, and nothing fails for it."""
    edit(settled)
    done = settled.tea(verb)
    (line,) = [line for line in done.err.splitlines() if line.startswith("unsaved: ")]
    words = line.removeprefix("unsaved: ").replace(",", "").replace(";", "").split()

    assert 0 == done.code
    assert "3 files differ from the last commit" in line
    assert {"shout/shout.sh", "raw/b.txt", "raw/new.txt"} <= set(words)
    assert "unsaved: " not in settled.tea("-q", verb).err


@pytest.mark.long
@pytest.mark.parametrize("verb", ["plan", "status", "run", "datums"])
def test_nothing_is_said_where_all_is_saved(settled: Dataset, verb: str) -> None:
    """Neither of a clean dataset nor of ignored files, nor of an older commit."""
    settled.save({".gitignore": "*.tmp\n"})
    settled.write({"raw/x.tmp": "x"})
    assert "unsaved" not in settled.tea(verb).err
    edit(settled)
    if verb != "run":
        assert "unsaved" not in settled.tea(verb, "--at", "HEAD~1").err


@pytest.mark.long
def test_status_and_datums_look_at_the_folder(settled: Dataset) -> None:
    """With ``--unsaved``: new files are datums, a changed script makes results stale, nothing is written."""
    edit(settled)
    before = settled.do("git", "status", "--porcelain")

    datums = settled.tea("datums", "shout", "--unsaved")
    status = settled.tea("status", "shout", "--unsaved")

    assert ["in:a.txt", "in:b.txt", "in:new.txt"] == [line.split()[1] for line in datums.lines]
    assert "unsaved: " not in datums.err + status.err
    rows = settled.tea("status", "shout", "--unsaved", "--json").json["pipelines"]
    states = {each["datum"]: each["state"] for row in rows for each in row["datums"]}
    assert {"in:a.txt": "stale", "in:b.txt": "stale", "in:new.txt": "missing"} == states
    assert before == settled.do("git", "status", "--porcelain")
    for verb in ("status", "datums", "plan"):
        assert 2 == settled.tea(verb, "--unsaved", "--at", "HEAD~1").code


@pytest.mark.long
def test_json_lists_unsaved_files(settled: Dataset) -> None:
    """Of plan, status and run."""
    edit(settled)
    for words in (("plan", "--json"), ("status", "--json"), ("--json", "run", "-y")):
        found = settled.tea(*words).json["unsaved"]
        assert ["raw/b.txt", "raw/new.txt", "shout/shout.sh"] == sorted(found), words


def test_many_unsaved_files_are_counted(settled: Dataset) -> None:
    """The first of them are named; a new folder is one name."""
    settled.write({f"raw/{number:02}.txt": "x" for number in range(20)})
    settled.write({"more/a": "1", "more/b": "1"})

    (line,) = settled.tea("plan").err.splitlines()
    assert line.startswith("unsaved: 21 files differ")
    assert "more/" in line
    assert "… and 16 more" in line


@pytest.mark.long
def test_an_unlocked_annexed_file_that_is_saved_is_no_change(settled: Dataset) -> None:
    """Its pointer in git differs from its content in the folder, and nothing is unsaved."""
    settled.save({".gitattributes": "raw/*.bin annex.largefiles=anything\n", "raw/x.bin": "x" * 99})
    assert "/annex/objects/" in settled.do("git", "show", "HEAD:raw/x.bin")
    (settled.path / "raw/x.bin").touch()

    assert "unsaved" not in settled.tea("plan").err
