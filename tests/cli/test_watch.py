"""``tea-runner watch``: files that arrive are saved, and the pipelines run; no server is there."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tea_runner.host import process
from tea_runner.triggers.drop_folder import DropFolder
from tests.cli.dataset import Dataset, Said

#: A folder that was looked at twice in this time is quiet.
QUIET = ("--quiet-for", "0.2")


def watch_once(dataset: Dataset, *words: str) -> Said:
    """Do what there is to do, and end."""
    return dataset.tea("watch", "--once", *QUIET, *words)


def text(dataset: Dataset, path: str) -> str:
    """A file of the folder."""
    return (dataset.path / path).read_text()


def unsaved(dataset: Dataset) -> list[str]:
    """What ``git status`` lists."""
    return dataset.do("git", "status", "--porcelain", "-uall").splitlines()


def commits(dataset: Dataset) -> int:
    """The number of commits."""
    return int(dataset.do("git", "rev-list", "--count", "HEAD"))


def eventually(said: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


@contextmanager
def watcher(dataset: Dataset, *words: str, before: Sequence[str] = ()) -> Iterator[process.Process]:
    """A watch that runs beside the test.

    :param before: a program and its arguments that run the watch.
    """
    variables = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    variables["TEA_RUNNER_SANDBOX__KIND"] = "off"
    log = dataset.path.parent / "watch.out"
    with log.open("ab") as output:
        argv = [*before, sys.executable, "-m", "tea_runner", "watch", *QUIET, *words]
        started = process.start_process(
            argv, env=variables, cwd=dataset.path, stdout=output, stderr=output
        )
    try:
        eventually(lambda: "watching: " in log.read_text())
        yield started
    finally:
        process.kill(started)


def test_files_that_arrive_are_saved_and_run(settled: Dataset) -> None:
    """New, changed and deleted ones; whatever else is unsaved stays as it is."""
    settled.write({"raw/c.txt": "cc\n", "raw/a.txt": "a2\n", "raw/b.txt": None, "notes": "n\n"})
    done = watch_once(settled)

    assert 0 == done.code, done
    assert "saved: 3 files: raw/a.txt, raw/b.txt, raw/c.txt in " in done.out
    assert "A2\nCC\n" == text(settled, "table/table.txt")
    assert ["?? notes"] == unsaved(settled)
    before = commits(settled)
    assert 0 == watch_once(settled).code
    assert before == commits(settled)


def test_names_of_unfinished_files_are_left_alone(settled: Dataset) -> None:
    """Programs rename them when they are complete."""
    names = ["x.part", "y.tmp", ".z.txt.Ab12Cd", "w.txt~", ".#v", "u.crdownload"]
    settled.write({f"raw/{name}": "half" for name in names})
    done = watch_once(settled)

    assert "saved" not in done.out
    assert len(names) == len(unsaved(settled))


def test_what_is_staged_elsewhere_stays_staged(settled: Dataset) -> None:
    """The commit holds the files that arrived, and nothing else."""
    settled.write({"shout/shout.sh": "false\n", "raw/c.txt": "cc\n"})
    settled.do("git", "add", "shout/shout.sh")
    assert 0 == watch_once(settled, "--save-only").code

    assert ["M  shout/shout.sh"] == unsaved(settled)
    assert "raw/c.txt" == settled.do("git", "show", "--name-only", "--format=", "HEAD")


@pytest.mark.long
def test_files_of_a_drop_folder_are_copied_once(settled: Dataset, tmp_path: Path) -> None:
    """They stay there; a changed one is copied again, and a lost list of what was copied is no harm."""
    drop = tmp_path / "incoming"
    (drop / "deep").mkdir(parents=True)
    (drop / "c.txt").write_text("cc\n")
    (drop / "deep" / "d.txt").write_text("dd\n")
    imports = ("--import", f"{drop}:raw")
    first = watch_once(settled, *imports, "--save-only")
    assert "copied: 2 files: raw/c.txt, raw/deep/d.txt from" in first.out
    assert "cc\n" == text(settled, "raw/c.txt")
    before = commits(settled)

    assert "copied" not in watch_once(settled, *imports, "--save-only").out
    (settled.path / ".git/tea-runner/imported-0.json").unlink()
    assert "copied" in watch_once(settled, *imports, "--save-only").out
    assert before == commits(settled)

    (drop / "c.txt").write_text("c2\n")
    assert "copied: 1 file: raw/c.txt" in watch_once(settled, *imports, "--save-only").out
    assert "c2\n" == text(settled, "raw/c.txt")


def test_a_drop_folder_brings_only_content(settled: Dataset, tmp_path: Path) -> None:
    """No pipelines, no rules of git, no links, nothing that is not a file."""
    drop = tmp_path / "incoming"
    (drop / ".git").mkdir(parents=True)
    (drop / ".git/config").write_text("x")
    (drop / "spec.yml").write_text("x")
    (drop / "SPEC.YML").write_text("x")
    (drop / "link").symlink_to("/etc/passwd")
    os.mkfifo(drop / "pipe")
    (drop / "good.txt").write_text("g\n")
    done = watch_once(settled, "--import", f"{drop}:raw", "--save-only")

    assert "copied: 1 file: raw/good.txt" in done.out
    assert "spec.yml has a name that steers other programs; it is left out" in done.err
    assert sorted(["a.txt", "b.txt", "good.txt"]) == sorted(os.listdir(settled.path / "raw"))


@pytest.mark.long
@pytest.mark.parametrize("where", ["../out", "/etc", ".git/hooks", "a/../../b", ".datalad"])
def test_a_drop_folder_goes_into_the_dataset(settled: Dataset, tmp_path: Path, where: str) -> None:
    """A wrong place is refused in a sentence."""
    (tmp_path / "incoming").mkdir()
    done = watch_once(settled, "--import", f"{tmp_path}/incoming:{where}")

    assert 2 == done.code
    assert "this cannot be a folder of data" in done.err


@pytest.mark.long
@pytest.mark.parametrize("folder", ["", "data/raw", "data"])
def test_a_drop_folder_is_beside_the_dataset(settled: Dataset, tmp_path: Path, folder: str) -> None:
    """One that holds the dataset would be copied into itself."""
    done = watch_once(settled, "--import", f"{tmp_path / folder}:raw")

    assert 2 == done.code
    assert "in one another" in done.err


def test_links_of_the_dataset_lead_no_copy_out_of_it(settled: Dataset, tmp_path: Path) -> None:
    """A folder that is a link to elsewhere takes no file."""
    drop, outside = tmp_path / "incoming", tmp_path / "outside"
    (drop / "sub").mkdir(parents=True)
    outside.mkdir()
    (drop / "sub/x.txt").write_text("x")
    (settled.path / "raw/sub").symlink_to(outside)
    done = watch_once(settled, "--import", f"{drop}:raw", "--save-only")

    assert "leads out of the dataset" in done.err
    assert [] == os.listdir(outside)


@pytest.mark.long
def test_a_deep_drop_folder_is_read_to_a_limit(settled: Dataset, tmp_path: Path) -> None:
    """A tree of a thousand folders in one another stops nothing."""
    drop = tmp_path / "incoming"
    drop.mkdir()
    (drop / "good.txt").write_text("g\n")
    folder = os.open(drop, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    done = watch_once(settled, "--import", f"{drop}:raw", "--save-only")
    # pytest cannot remove such a tree: its recursion ends at a thousand folders.
    process.run(["rm", "-rf", str(drop)], env=dict(os.environ))

    assert 0 == done.code, done
    assert "copied: 1 file: raw/good.txt" in done.out


def test_a_folder_that_becomes_a_link_is_not_followed(settled: Dataset, tmp_path: Path) -> None:
    """Whoever may write into the folder gets no file of this user copied by exchanging folders."""
    drop, secret = tmp_path / "incoming", tmp_path / "secret"
    for folder in (drop / "sub", secret):
        folder.mkdir(parents=True)
        (folder / "x.txt").write_text(folder.name)
    taker = DropFolder(
        source=drop, worktree=settled.path, destination="raw", state=tmp_path / "state"
    )
    found = list(taker.new_files())
    (drop / "sub").rename(drop / "old")
    (drop / "sub").symlink_to(secret)

    assert (["sub/x.txt"], []) == (found, taker.take(found))
    assert not (settled.path / "raw/sub").exists()


@pytest.mark.long
def test_a_running_watch_takes_what_comes(settled: Dataset) -> None:
    """Within seconds, and one after another."""
    with watcher(settled):
        settled.write({"raw/c.txt": "cc\n"})
        eventually(lambda: "AA\nBB\nCC\n" == text(settled, "table/table.txt"))
        settled.write({"raw/d.txt": "dd\n"})
        eventually(lambda: "AA\nBB\nCC\nDD\n" == text(settled, "table/table.txt"))
        assert 1 == settled.tea("watch", "--once").code  # One lock.


@pytest.mark.long
def test_a_killed_watch_loses_nothing(settled: Dataset, tmp_path: Path) -> None:
    """Killed at any moment, it goes on where it was, and what it half copied is deleted."""
    drop = tmp_path / "incoming"
    drop.mkdir()
    words = ("--import", f"{drop}:raw")
    for number in range(4):
        with watcher(settled, *words) as running:
            for each in range(20):
                (drop / f"{number}-{each}.txt").write_text(f"{number} {each}\n")
            time.sleep(0.4 * number)
            os.killpg(running.pid, signal.SIGKILL)
    (settled.path / "raw/.tea-import-abc").write_text("half")
    eventually(lambda: not (settled.path / ".git/index.lock").exists())
    done = watch_once(settled, *words)

    assert 0 == done.code, done
    assert 82 == len(os.listdir(settled.path / "shout")) - 4
    assert [] == unsaved(settled)


@pytest.mark.long
def test_a_file_that_grows_is_saved_when_it_is_complete(settled: Dataset) -> None:
    """Not in between, so that no half of it is computed."""
    target = settled.path / "raw/c.txt"
    with watcher(settled, "--quiet-for", "1"):
        for number in range(6):
            with target.open("a") as file:
                file.write(f"{number}\n")
            time.sleep(0.4)
        eventually(lambda: (settled.path / "shout/c.txt").exists())
    versions = settled.do("git", "log", "--format=%h", "--", "raw/c.txt").splitlines()

    assert 1 == len(versions)
    assert "0\n1\n2\n3\n4\n5\n" == text(settled, "shout/c.txt")


@pytest.mark.long
def test_ten_thousand_files_at_once(settled: Dataset, tmp_path: Path) -> None:
    """All are saved, in few commits."""
    drop = tmp_path / "incoming"
    drop.mkdir()
    for number in range(10_000):
        (drop / f"{number}.txt").write_text(f"{number}\n")
    before = commits(settled)
    done = watch_once(settled, "--import", f"{drop}:raw", "--save-only")

    assert 0 == done.code, done
    assert 10_002 == len(os.listdir(settled.path / "raw"))
    assert commits(settled) - before <= 3
    assert [] == unsaved(settled)
