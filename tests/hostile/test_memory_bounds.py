"""Nothing that can be pushed or written makes a process of ours large: peak memory, measured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.host import process
from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge

#: Bytes that compress to a thousandth, many times what a process may take.
_LARGE = 200_000_000
#: Bytes that a planner or a worker may take: some 120 MB are its code.
_MOST = 200_000_000


def _zeros(size: int = _LARGE) -> dict[str, Any]:
    return {"file": "\0" * 1000, "times": size // 1000}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server, and a forge that sends blobs of any size."""
    made = HostileForge(tmp_path)
    yield made
    made.close()


def _measure(forge: HostileForge) -> dict[str, Any]:
    """Plan and do what there is in a process of its own."""
    forge.git("mine", "config", "uploadpack.allowFilter", "false")
    settings = str(forge.root / "host" / "tea-runner.toml")
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    argv = [sys.executable, "-m", "tests.hostile.measured", settings, "lab/mine"]
    found: dict[str, Any] = json.loads(process.run(argv, env=env, cwd=root, timeout=300).stdout)
    assert "Traceback" not in found["said"], found["said"]
    return found


_COUNT = spec("up", 'wc -c <"$in" >"$PFS/out/size"')
_ROWS: dict[str, tuple[Mapping[str, Any], str, str]] = {
    # What is pushed, the state, and what is said.
    "an ordinary push": ({}, "settled", ""),
    "a pipeline file": (
        {"files": {"up/spec.yml": _zeros()}},
        "",
        "a pipeline file must be a plain",
    ),
    "a manifest": ({"files": {"up/manifest.tsv": _zeros()}}, "settled", ""),
    "attributes": ({"files": {".gitattributes": _zeros()}}, "", "too large to parse"),
    "submodules": ({"files": {".gitmodules": _zeros()}}, "settled", ""),
    "an input": (
        {"files": {"raw/a.txt": _zeros(), "up/spec.yml": _COUNT}},
        "settled",
        "",
    ),
    "many inputs": (
        {
            "files": {
                f"raw/{number}.txt": _zeros(4_000_000 + number * 1000) for number in range(60)
            }
            | {"up/spec.yml": spec("up", 'wc -c <"$in" >"$PFS/out/$(basename "$in")"')}
        },
        "settled",
        "",
    ),
    "a commit's message": ({"message": "x" * 100_000_000}, "", "its message is too long"),
    "a commit's title": ({"message": "x" * 1_000_000}, "settled", ""),
    "remotes": ({"git-annex": {"remote.log": _zeros()}}, "settled", ""),
}


@pytest.mark.long
@pytest.mark.parametrize("name", list(_ROWS))
def test_what_is_pushed_takes_no_memory(forge: HostileForge, name: str) -> None:
    """It is refused in a sentence, or used without being read whole."""
    row, state, said = _ROWS[name]
    forge.make("mine", row)
    found = _measure(forge)
    assert found["peak"] < _MOST, found
    assert (state, True) == (found["state"], said in found["said"]), found


@pytest.mark.long
def test_a_result_of_a_job_takes_no_memory(forge: HostileForge) -> None:
    """Everybody who may push can push what looks like one."""
    forge.make("mine", {})
    blob = forge.git("mine", "hash-object", "-w", "--stdin", stdin=b"\0" * _LARGE).decode().strip()
    tree = forge.git("mine", "mktree", stdin=f"100644 blob {blob}\tresults.json\n".encode())
    commit = forge._commit_tree("mine", tree.decode().strip())
    forge.git("mine", "update-ref", "refs/tea/jobs/" + "1" * 32, commit)
    found = _measure(forge)
    assert found["peak"] < _MOST, found
    assert "settled" == found["state"], found


def test_a_deep_tree_is_refused(forge: HostileForge) -> None:
    """6,000 levels are no RecursionError; the sentence says where they are."""
    forge.make("mine", {})
    place = forge.root / "forge" / "lab" / "mine.git"
    writer = ObjectWriter(place, GitEnvironment(variables=forge.env, home=place))
    entries = {"file": TreeEntry(PLAIN, writer.add("blob", b"x"))}
    for _ in range(6_000):
        entries = {"d": TreeEntry(TREE, writer.tree(entries))}
    raw = forge.git("mine", "rev-parse", "main:raw").decode().strip()
    up = forge.git("mine", "rev-parse", "main:up").decode().strip()
    top = writer.tree({**entries, "raw": TreeEntry(TREE, raw), "up": TreeEntry(TREE, up)})
    writer.flush()
    forge.git("mine", "update-ref", "refs/heads/main", forge._commit_tree("mine", top))
    found = _measure(forge)
    assert "d/d/d/d" in found["said"], found
    assert "folders in one another" in found["said"], found
    assert found["peak"] < _MOST, found


def test_an_input_that_is_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    """Before it is written; the other datums of the job are computed."""
    forge = HostileForge(tmp_path, walls='git_file_size = "1 MiB"')
    try:
        copy = spec(
            "up", 'cp "$in" "$PFS/out/"', datum_set_spec={"number": 2}, on_failure="publish"
        )
        files = {"raw/a.txt": _zeros(2_000_000), "raw/b.txt": "b", "up/spec.yml": copy}
        forge.make("mine", {"files": files})
        met = forge.meet("mine")
    finally:
        forge.close()
    assert "input a.txt has 2000000 bytes and is kept in git, more than the 1048576" in met.said
    assert "; annex it" in met.said
    assert {"up/b.txt": b"b"} == met.outputs


_KEPT = "truncate -s {} $PFS/out/big"


def test_a_large_output_kept_in_git_is_refused(forge: HostileForge) -> None:
    """The sentence says how to keep it in the annex, and which setting allows more."""
    forge.make("mine", {"files": {"up/spec.yml": spec("up", _KEPT.format("15G"))}})
    found = _measure(forge)
    assert found["peak"] < _MOST, found
    assert "failed" == found["state"], found
    for part in (
        "output 'big' has 16106127360 bytes and would be kept in git",
        "sandbox.git_file_size",
        "annex it: write 'up/big' annex.largefiles=anything into .gitattributes",
    ):
        assert part in found["said"], found


@pytest.mark.parametrize(
    "command",
    [
        _KEPT.format("200M"),
        pytest.param(
            "for i in 1 2 3 4; do head -c 50M /dev/urandom >$PFS/out/$i; done",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "i=0; while [ $i -lt 250 ]; do i=$((i+1)); head -c 900K /dev/urandom >$PFS/out/$i; done",
            marks=pytest.mark.long,
        ),
    ],
    ids=["zeros", "large files", "many files"],
)
def test_outputs_kept_in_git_are_streamed(forge: HostileForge, command: str) -> None:
    """They are published, and were never in the worker's memory as a whole."""
    forge.make("mine", {"files": {"up/spec.yml": spec("up", command)}})
    found = _measure(forge)
    assert found["peak"] < _MOST, found
    assert "settled" == found["state"], found
