"""``tea-runner watch install``: each commit runs the pipelines in the background."""

from __future__ import annotations

import pytest

from tests.cli.dataset import Dataset
from tests.cli.test_watch import eventually, text


def log(dataset: Dataset) -> str:
    """What the runs in the background wrote."""
    file = dataset.path / ".git/tea-runner/watch.log"
    return file.read_text() if file.exists() else ""


def test_a_commit_runs_the_pipelines(dataset: Dataset) -> None:
    """``git commit`` returns at once; several in a row are all taken."""
    done = dataset.tea("watch", "install", "-y")
    assert 0 == done.code, done
    assert "Each commit runs the pipelines now" in done.out

    dataset.save({"raw/c.txt": "cc\n"})
    dataset.save({"raw/d.txt": "dd\n"})

    eventually(lambda: (dataset.path / "table/table.txt").exists())
    eventually(lambda: "AA\nBB\nCC\nDD\n" == text(dataset, "table/table.txt"))
    assert "a commit came" in log(dataset)


@pytest.mark.long
def test_hooks_that_are_there_keep_their_text(dataset: Dataset) -> None:
    """A line is added, once, and taken out again."""
    hook = dataset.path / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho mine >>../mine\n")
    hook.chmod(0o755)
    for _ in range(2):
        assert 0 == dataset.tea("watch", "install", "-y").code
    lines = hook.read_text().splitlines()
    assert (["#!/bin/sh", "echo mine >>../mine"], 3) == (lines[:2], len(lines))

    assert 0 == dataset.tea("watch", "install", "--remove").code
    assert "#!/bin/sh\necho mine >>../mine\n" == hook.read_text()
    assert "tea_runner" not in (dataset.path / ".git/hooks/post-merge").read_text()


def test_a_hook_is_not_changed_unasked(dataset: Dataset) -> None:
    """Without an answer nothing is written; a program that is no shell script is refused."""
    hook = dataset.path / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntrue\n")
    assert 0 != dataset.tea("watch", "install").code
    assert "#!/bin/sh\ntrue\n" == hook.read_text()

    hook.write_text("#!/usr/bin/python3\n")
    done = dataset.tea("watch", "install", "-y")
    assert 1 == done.code
    assert "let it call: tea-runner watch after-commit" in done.err
