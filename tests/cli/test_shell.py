"""``tea-runner shell``: the sandbox of a datum with its inputs, for a person; what it writes is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset, Said
from tests.terminal import on_terminal

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bwrap")
HOST = {"TEA_RUNNER_SANDBOX__KIND": "bwrap"}


def kept(said: Said | str) -> Path:
    """The folder that has the outputs."""
    text = said if isinstance(said, str) else said.err
    return Path(text.partition("the outputs are kept in ")[2].split()[0])


def test_commands_run_beside_the_inputs(dataset: Dataset) -> None:
    """Without a terminal they come from standard input; nothing is committed."""
    head = dataset.do("git", "rev-parse", "HEAD")
    typed = b"cat $PFS/in/*; ls $PFS/in; echo hi > $PFS/out/x; exit 6\n"
    said = dataset.tea("shell", "in:b.txt", stdin=typed)
    assert 6 == said.code, said
    assert said.out.startswith("bb\nb.txt\n")
    assert "its command: sh shout/shout.sh" in said.err
    assert "hi\n" == (kept(said) / "x").read_text()
    assert head == dataset.do("git", "rev-parse", "HEAD")
    assert "" == dataset.do("git", "status", "--porcelain")


@needs_bwrap
def test_it_is_the_very_sandbox_on_a_terminal(dataset: Dataset) -> None:
    """Inputs below /pfs and read-only, no network, a terminal of its own with control of jobs."""
    typed = (
        "touch /pfs/in/new\r ls /pfs /dataset\r ls /sys/class/net\r echo made > /pfs/out/made\r"
        "[ -t 0 ] && echo on a $((1+1))nd terminal\r echo $-\r exit 5\r"
    )
    code, shown = on_terminal(dataset.path, "shell", "shout", "in:a.txt", typed=typed, env=HOST)
    assert 5 == code, shown
    assert "Read-only file system" in shown
    assert "on a 2nd terminal" in shown
    assert "no job control" not in shown
    assert "himBH" in shown
    assert "made\n" == (kept(shown) / "made").read_text()


def test_the_room_of_a_failed_job_is_made_again(dataset: Dataset) -> None:
    """As it was at the commit that failed, from any folder; the branch has gone on."""
    dataset.save({"shout/shout.sh": "cat $PFS/in/*; exit 7\n"})
    failed = dataset.tea("run", "-y", "in:b.txt")
    assert 1 == failed.code, failed
    job = next(line for line in failed.err.splitlines() if "log: " in line)
    job = Path(job.partition("log: ")[2]).stem
    dataset.save({"raw/b.txt": "new\n", "shout/shout.sh": "true\n"})
    typed = b"cat $PFS/in/* shout/shout.sh\n"
    said = dataset.tea("-C", "/", "shell", job[:10], stdin=typed)
    assert (0, "bb\ncat $PFS/in/*; exit 7\n") == (said.code, said.out)
    assert "the outputs are kept" not in said.err
    assert "new\n" == dataset.tea("-q", "shell", "in:b.txt", stdin=b"cat $PFS/in/*\n").out


@pytest.mark.long
def test_with_paths_of_the_dataset_the_home_is_kept(dataset: Dataset) -> None:
    """With ``view: dataset`` the shell is at the root of the dataset."""
    spec = """\
pipeline: {name: count}
view: dataset
input: {pfs: {repo: raw, glob: "/(*).txt"}}
outputs: ["$1.count"]
transform: {cmd: [sh, -c, "wc -l <{inputs} >{outputs}"]}
"""
    dataset.save({"count/spec.yml": spec})
    said = dataset.tea(
        "shell", "count", "raw:a.txt", stdin=b"cat raw/*.txt; echo 1 >count/a.count\n"
    )
    assert (0, "aa\n") == (said.code, said.out), said
    assert "its command: sh -c 'wc -l <raw/a.txt >count/a.count'" in said.err
    assert "1\n" == (kept(said) / "a.count").read_text()


def test_names_that_mean_no_datum(dataset: Dataset) -> None:
    """Sentences with the next step."""
    for words, sentence in (
        (("shout",), "shout is a pipeline; name a datum"),
        (("shuot",), "did you mean shout?"),
        (("in:c.txt",), "there is no pipeline or datum in:c.txt"),
    ):
        said = dataset.tea("shell", *words)
        assert (True, True) == (said.code in (1, 2), sentence in said.err), said
