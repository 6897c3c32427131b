"""Files only: no forge, no storage, no server; a dataset, a hook and a watch."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.cli.dataset import Dataset
from tests.cli.test_watch import commits, eventually, text, unsaved, watch_once, watcher

pytestmark = pytest.mark.long
#: A shell in a user namespace that has one inotify watch, which runs what follows.
_ONE_WATCH = (
    "unshare",
    "-U",
    "-r",
    "sh",
    "-c",
    'echo 1 >/proc/sys/user/max_inotify_watches; exec "$@"',
)


def test_a_save_and_a_file_that_is_dropped_become_results(dataset: Dataset, tmp_path: Path) -> None:
    """The hook runs what is saved by hand, the watch what arrives; a clone has all of it, and why."""
    assert 0 == dataset.tea("watch", "install", "-y").code
    dataset.do("datalad", "save", "-m", "begin")
    dataset.save({"raw/c.txt": "cc\n"})
    eventually(lambda: (dataset.path / "table/table.txt").exists())
    eventually(lambda: "AA\nBB\nCC\n" == text(dataset, "table/table.txt"))
    drop = tmp_path / "incoming"
    drop.mkdir()
    words = ("--import", f"{drop}:raw")
    with watcher(dataset, *words) as running:
        (drop / "d.txt").write_text("dd\n")
        eventually(lambda: "AA\nBB\nCC\nDD\n" == text(dataset, "table/table.txt"))
        (drop / "e.txt").write_text("ee\n")
        time.sleep(0.3)
        os.killpg(running.pid, signal.SIGKILL)
    (drop / "f.txt").write_text("ff\n")
    with watcher(dataset, *words):
        eventually(lambda: "AA\nBB\nCC\nDD\nEE\nFF\n" == text(dataset, "table/table.txt"))
        eventually(lambda: not unsaved(dataset))
    # Nothing is computed twice: no result of a file was written anew.
    anew = dataset.do("git", "log", "--format=%h", "--diff-filter=M", "--", "shout/*.txt")
    assert "" == anew.strip()
    clone = tmp_path / "clone"
    dataset.do("git", "clone", "-q", str(dataset.path), str(clone))
    env = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    process.run(["git", "annex", "get", "--quiet", "."], env=env, cwd=clone)
    assert "AA\nBB\nCC\nDD\nEE\nFF\n" == (clone / "table/table.txt").read_text()
    assert "Tea-" in dataset.do("git", "log", "-1", "--format=%B", "--", "table/table.txt")


def test_files_are_found_without_announcements(settled: Dataset) -> None:
    """All of the system's watches are in use: the watch says so, and looks every few seconds."""
    if (
        shutil.which("unshare") is None
        or process.run(
            [*_ONE_WATCH, "sh", "true"], env={"PATH": os.environ["PATH"]}, check=False
        ).returncode
    ):
        pytest.skip("needs user namespaces")
    for number in range(5):
        settled.save({f"raw/deep/{number}/a.txt": "x\n"})
    with watcher(settled, "--save-only", before=(*_ONE_WATCH, "sh")):
        log = settled.path.parent / "watch.out"
        eventually(lambda: "changes of files are not announced" in log.read_text())
        before = commits(settled)
        settled.write({"raw/deep/4/c.txt": "cc\n"})
        eventually(lambda: commits(settled) > before)
    assert [] == unsaved(settled)


def test_a_watch_that_is_killed_among_ten_thousand_files_goes_on(
    settled: Dataset, tmp_path: Path
) -> None:
    """All are saved once, with what they hold, and nothing half copied stays."""
    drop = tmp_path / "incoming"
    drop.mkdir()
    for number in range(10_000):
        (drop / f"{number}.txt").write_text(f"{number}\n")
    words = ("--import", f"{drop}:raw", "--save-only")
    for seconds in (0.5, 1.5, 3.0):
        with watcher(settled, *words) as running:
            time.sleep(seconds)
            os.killpg(running.pid, signal.SIGKILL)
        eventually(lambda: not (settled.path / ".git/index.lock").exists())
    done = watch_once(settled, *words)
    assert 0 == done.code, done
    assert 10_002 == len(os.listdir(settled.path / "raw"))
    for number in range(0, 10_000, 97):
        assert f"{number}\n" == text(settled, f"raw/{number}.txt")
    assert [] == unsaved(settled)
