"""``plan --unsaved`` and ``run --unsaved``: the folder as it lies there, and no commit."""

from __future__ import annotations

import pytest

from tests.cli.dataset import SCRIPT, Dataset


def edit(dataset: Dataset) -> None:
    """An input is changed, another is new, and a third one is deleted."""
    dataset.write({"raw/a.txt": "a2\n", "raw/new.txt": "n\n", "raw/b.txt": None})


def text(dataset: Dataset, path: str) -> str:
    """A file of the folder."""
    return (dataset.path / path).read_text()


@pytest.mark.long
def test_plan_looks_at_the_folder(settled: Dataset) -> None:
    """What would run if it were saved, and neither folder nor branch nor index changes."""
    edit(settled)
    before = (settled.do("git", "status", "--porcelain"), settled.do("git", "rev-parse", "HEAD"))
    plan = settled.tea("plan", "--unsaved")

    assert 0 == plan.code
    assert "run(input-changed): shout in:a.txt  an input has changed" in plan.lines
    assert "run(new): shout in:new.txt  it had not been computed before" in plan.lines
    assert "in:b.txt" not in plan.out
    assert before == (
        settled.do("git", "status", "--porcelain"),
        settled.do("git", "rev-parse", "HEAD"),
    )


def test_run_puts_results_into_the_folder(settled: Dataset) -> None:
    """Also those downstream; the branch stays where it is, and once saved all is current."""
    edit(settled)
    head = settled.do("git", "rev-parse", "HEAD")
    done = settled.tea("run", "--unsaved", "-y")

    assert 0 == done.code, done
    assert head == settled.do("git", "rev-parse", "HEAD")
    assert ("A2\n", "N\n") == (text(settled, "shout/a.txt"), text(settled, "shout/new.txt"))
    assert not (settled.path / "shout/b.txt").exists()
    assert "A2\nN\n" == text(settled, "table/table.txt")
    assert "Nothing was committed" in done.err
    assert 0 == settled.tea("plan", "--unsaved", "--exit-code").code

    settled.save()
    assert 0 == settled.tea("plan", "--exit-code").code
    assert 0 == settled.tea("status", "--exit-code").code


@pytest.mark.long
def test_run_again_computes_what_was_changed_again(settled: Dataset) -> None:
    """Edit, run, look, edit: each time only what differs from the time before."""
    settled.write({"raw/a.txt": "a2\n"})
    assert 0 == settled.tea("run", "--unsaved", "-y").code
    settled.write({"raw/b.txt": "b2\n"})
    plan = settled.tea("plan", "--unsaved")

    assert ["run(input-changed): shout in:b.txt  an input has changed"] == [
        line for line in plan.lines if line.startswith("run(")
    ]
    assert 0 == settled.tea("run", "--unsaved", "-y").code
    assert "A2\nB2\n" == text(settled, "table/table.txt")


def test_what_was_computed_unsaved_is_known_once_saved(settled: Dataset) -> None:
    """The script is saved without the results: they are reused, nothing runs again."""
    settled.write({"shout/shout.sh": SCRIPT.replace("a-z A-Z", "a-z B-ZA")})
    assert 0 == settled.tea("run", "--unsaved", "-y").code
    assert "BB\n" == text(settled, "shout/a.txt")
    settled.save()

    assert 0 == settled.tea("plan", "--exit-code").code


@pytest.mark.long
def test_annexed_files_are_read_as_they_lie_there(settled: Dataset) -> None:
    """A new file that would be annexed has the key that it gets when it is saved."""
    settled.save(
        {".gitattributes": "* annex.largefiles=nothing\nraw/* annex.largefiles=anything\n"}
    )
    settled.write({"raw/c.txt": "cc\n"})
    assert 0 == settled.tea("run", "--unsaved", "-y").code
    assert "CC\n" == text(settled, "shout/c.txt")

    settled.do("git", "annex", "add", "-q", "raw/c.txt")
    settled.save()
    assert 0 == settled.tea("plan", "--exit-code").code


def test_an_ignored_file_is_not_written_over(settled: Dataset) -> None:
    """git knows nothing of it, so nobody could bring it back."""
    settled.save({".gitignore": "new.txt\n"})
    settled.write({"raw/x.txt": "x\n", "shout/x.txt": None})
    settled.save({".gitignore": "shout/x.txt\n"})
    settled.write({"shout/x.txt": "mine\n", "raw/x.txt": "x2\n"})
    settled.do("git", "rm", "-q", "--cached", "--ignore-unmatch", "shout/x.txt")
    done = settled.tea("run", "--unsaved", "-y")

    assert 1 == done.code
    assert "shout/x.txt is in the way" in done.err + done.out
    assert "mine\n" == text(settled, "shout/x.txt")


def test_unsaved_excludes_what_is_about_commits(settled: Dataset) -> None:
    """``--at`` names a commit, ``--from`` a file that was made of one."""
    assert 2 == settled.tea("plan", "--unsaved", "--at", "HEAD~1").code
    assert 2 == settled.tea("run", "--unsaved", "--from", "x").code
