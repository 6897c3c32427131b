"""Datums of each kind of input, written out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tea_runner.core.datums.enumerate import DatumsError, enumerate_datums
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.errors import UserError
from tea_runner.core.pipeline import Combined, Cron, Input, Pfs, Pipeline, Transform, pfs_leaves
from tests.garbage import without_collector

FILES = {
    "raw": ["sub-01/t1.txt", "sub-01/t2.txt", "sub-02/t1.txt", "top.txt"],
    "t1": ["anna.txt", "ben.txt", "cleo.txt"],
    "t2": ["ben.txt", "cleo.txt", "dora.txt"],
    "runs": ["anna_run-1.txt", "anna_run-2.txt", "ben_run-1.txt"],
    "empty": [],
}


def pfs(repo: str, glob: str = "/*", name: str = "", **more: Any) -> Pfs:
    """An input of the name of its repo."""
    return Pfs(name=name or repo, repo=repo, glob=glob, **more)


def made(node: Input, files: dict[str, list[str]] = FILES, limit: int = 1000) -> list[str]:
    """The labels of the datums of an input."""
    pipeline = Pipeline(
        name="p", home="p", spec_path="p/spec.yml", transform=Transform(cmd=("true",)), input=node
    )
    listings = {n: Listing(files[leaf.repo]) for n, leaf in enumerate(pfs_leaves(node))}
    return [datum.label for datum in enumerate_datums(pipeline, listings, limit=limit)]


def both(kind: str, *inputs: Input) -> Combined:
    """Inputs put together."""
    return Combined(kind=kind, inputs=inputs)  # type: ignore[arg-type]


NAME = "/(*).txt"
T1 = pfs("t1", NAME, join_on="$1")
T2 = pfs("t2", NAME, join_on="$1")
OUTER: dict[str, Any] = {"outer_join": True, "join_on": "$1"}
RUNS = pfs("runs", "/(*)_run-*.txt", group_by="$1")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(pfs("raw"), ["raw:sub-01/", "raw:sub-02/", "raw:top.txt"], id="pfs"),
        pytest.param(pfs("raw", "/"), ["raw:/"], id="whole"),
        pytest.param(pfs("empty", "/"), [], id="whole of nothing"),
        pytest.param(pfs("raw", "/none"), [], id="no match is no datum"),
        pytest.param(
            both("union", pfs("t1", "/a*"), pfs("t2", "/d*")),
            ["t1:anna.txt", "t2:dora.txt"],
            id="union",
        ),
        pytest.param(
            both("union", pfs("t1", "/a*"), pfs("t1", "/*a.txt"), pfs("t1", "/anna*")),
            ["t1:anna.txt"],
            id="union: equal datums are one",
        ),
        pytest.param(
            both("union", pfs("t1", "/a*", "x"), pfs("t1", "/a*", "y")),
            ["x:anna.txt", "y:anna.txt"],
            id="union: another name is another datum",
        ),
        pytest.param(
            both("cross", pfs("t1", "/[ab]*"), pfs("t2", "/[bd]*")),
            [
                "t1:anna.txt t2:ben.txt",
                "t1:anna.txt t2:dora.txt",
                "t1:ben.txt t2:ben.txt",
                "t1:ben.txt t2:dora.txt",
            ],
            id="cross",
        ),
        pytest.param(both("cross", pfs("t1"), pfs("empty")), [], id="cross with nothing"),
        pytest.param(
            both("join", T1, T2), ["t1:ben.txt t2:ben.txt", "t1:cleo.txt t2:cleo.txt"], id="join"
        ),
        pytest.param(
            both("join", pfs("t1", NAME, **OUTER), T2),
            ["t1:anna.txt", "t1:ben.txt t2:ben.txt", "t1:cleo.txt t2:cleo.txt"],
            id="left outer join",
        ),
        pytest.param(
            both("join", pfs("t1", NAME, **OUTER), pfs("t2", NAME, **OUTER)),
            [
                "t1:anna.txt",
                "t1:ben.txt t2:ben.txt",
                "t1:cleo.txt t2:cleo.txt",
                "t2:dora.txt",
            ],
            id="full outer join",
        ),
        pytest.param(
            both(
                "join",
                pfs("t1", "/(a)nna.txt", "a", **OUTER),
                pfs("runs", "/(a)nna_run-*.txt", "b", join_on="$1"),
                pfs("t2", "/(z)*", "c", join_on="$1"),
            ),
            ["a:anna.txt"],
            id="outer join of three: made twice, kept once",
        ),
        pytest.param(
            both("join", pfs("t1", "/[ab]*"), pfs("t2", "/[bd]*")),
            [
                "t1:anna.txt t2:ben.txt",
                "t1:anna.txt t2:dora.txt",
                "t1:ben.txt t2:ben.txt",
                "t1:ben.txt t2:dora.txt",
            ],
            id="join without join_on is a cross",
        ),
        pytest.param(
            both("join", T1, pfs("runs", "/(*)_run-*.txt", join_on="$1")),
            [
                "t1:anna.txt runs:anna_run-1.txt",
                "t1:anna.txt runs:anna_run-2.txt",
                "t1:ben.txt runs:ben_run-1.txt",
            ],
            id="join with several matches",
        ),
        pytest.param(
            both("group", RUNS),
            ["runs:anna_run-1.txt runs:anna_run-2.txt", "runs:ben_run-1.txt"],
            id="group",
        ),
        pytest.param(
            both("group", pfs("t1", NAME, group_by="$1"), RUNS),
            [
                "t1:anna.txt runs:anna_run-1.txt runs:anna_run-2.txt",
                "t1:ben.txt runs:ben_run-1.txt",
                "t1:cleo.txt",
            ],
            id="group of two",
        ),
        pytest.param(
            both("group", pfs("t1"), pfs("empty")),
            ["t1:anna.txt t1:ben.txt t1:cleo.txt"],
            id="group without group_by is one datum",
        ),
        pytest.param(both("group", pfs("empty")), [], id="group of nothing"),
        pytest.param(
            both(
                "group",
                both(
                    "join",
                    pfs("t1", "/(?)*.txt", join_on="$1", group_by="all"),
                    pfs("runs", "/(?)*.txt", join_on="$1", group_by="all"),
                ),
            ),
            [
                "t1:anna.txt runs:anna_run-1.txt t1:anna.txt runs:anna_run-2.txt "
                "t1:ben.txt runs:ben_run-1.txt"
            ],
            id="group over join: entries repeat",
        ),
        pytest.param(
            both("join", both("union", T1, pfs("runs", "/(*)_run-1.txt", join_on="$1")), T2),
            ["t1:ben.txt t2:ben.txt", "runs:ben_run-1.txt t2:ben.txt", "t1:cleo.txt t2:cleo.txt"],
            id="join over union",
        ),
        pytest.param(
            both("join", both("cross", T1, pfs("raw", "/top.txt")), T2),
            ["t1:ben.txt t2:ben.txt", "t1:cleo.txt t2:cleo.txt"],
            id="join takes nested datums apart",
        ),
        pytest.param(
            both("cross", both("union", pfs("t1", "/a*"), pfs("t2", "/d*")), pfs("raw", "/top*")),
            ["t1:anna.txt raw:top.txt", "t2:dora.txt raw:top.txt"],
            id="cross over union",
        ),
        pytest.param(
            both("union", Cron(name="tick", spec="@every 1h"), pfs("t1", "/a*")),
            ["t1:anna.txt"],
            id="a schedule without ticks has no datums",
        ),
        pytest.param(both("cross", Cron(name="tick", spec="@daily"), pfs("t1")), [], id="cron"),
        pytest.param(
            both(
                "cross",
                Cron(name="a", spec="@daily", ticks=("2026-11-30T00:00:00Z",)),
                pfs("t1", "/a*"),
                Cron(name="b", spec="@daily", ticks=("2026-12-01T00:00:00Z",)),
            ),
            ["a:2026-11-30T00:00:00Z t1:anna.txt b:2026-12-01T00:00:00Z"],
            id="ticks of two schedules and a file",
        ),
    ],
)
def test_inputs_make_datums(node: Input, expected: list[str]) -> None:
    """What each kind of input makes, in this order."""
    assert expected == made(node)


@pytest.mark.parametrize(
    ("output_path", "expected"),
    [("out/$2", ("/sub-01/t2.txt", "sub-01", "t2")), ("out", ()), (None, ())],
)
def test_an_entry_knows_its_keys_and_the_captures_that_name_outputs(
    output_path: str | None, expected: tuple[str, ...]
) -> None:
    """Templates are filled from the captures of the entry's own glob, which are kept where they are used."""
    node = pfs("raw", "/(*)/(t?).txt", join_on="$2", group_by="${1}-$2")
    pipeline = Pipeline(
        name="p",
        home="p",
        spec_path="p/spec.yml",
        transform=Transform(cmd=("true",)),
        input=node,
        output_path=output_path,
    )
    entry = enumerate_datums(pipeline, {0: Listing(FILES["raw"])})[1].entries[0]
    assert expected == entry.captures
    assert ("t2", "sub-01-t2") == (entry.join_on, entry.group_by)
    assert ("sub-01/t2.txt", False) == (entry.path, entry.is_dir)


def test_too_many_datums_are_refused_before_they_are_made() -> None:
    """A cross of a trillion takes no time to refuse, and the numbers are named."""
    files = {"many": [f"{n:05d}" for n in range(10_000)]}
    many = [pfs("many", "/*", name) for name in "abc"]
    began = time.process_time()
    with pytest.raises(DatumsError) as caught:
        made(both("cross", *many), files, limit=2_000_000)
    assert (
        "pipeline p: the cross of 10000 x 10000 x 10000 makes 1000000000000 datums, more than the limit of "
        "2000000; use narrower globs, or join or group"
    ) == caught.value.message
    with pytest.raises(DatumsError):
        made(both("join", *many), files, limit=2_000_000)
    assert time.process_time() - began < 5


def test_a_limit_holds_for_a_single_input_too() -> None:
    """It counts datums, however they came about."""
    with pytest.raises(DatumsError):
        made(pfs("t1"), limit=2)
    assert 3 == len(made(pfs("t1"), limit=3))


def test_members_of_a_union_may_have_one_name_and_equal_paths() -> None:
    """As in Pachyderm, each is a datum; the label of the second names its repo."""
    both_scans = [pfs("t1", "/*", "scan"), pfs("t2", "/*", "scan")]
    labels = made(both("union", *both_scans))
    assert 6 == len(labels) == len(set(labels))
    assert "scan:ben.txt" in labels
    assert "scan(t2):ben.txt" in labels
    assert labels == made(both("union", *both_scans))
    other = made(both("union", both("union", *both_scans), pfs("raw")))
    assert set(labels) <= set(other)


def test_two_files_at_one_path_are_refused() -> None:
    """Inputs of one name over two places may not hide one another's files in one datum."""
    node = both("group", both("union", pfs("t1", "/*", "scan"), pfs("t2", "/*", "scan")))
    with pytest.raises(UserError) as caught:
        made(node)
    assert caught.value.message.startswith(
        "pipeline p: scan:ben.txt is in t1 and t2, and both inputs are called scan; "
    )
    assert caught.value.message.endswith("give each input its own name")


def test_a_join_of_many_files_is_linear() -> None:
    """Four times the subjects, with two files each, take less than twelve times as long."""
    seconds = []
    for number in (2_500, 10_000):
        files = {
            kind: [f"sub-{n:05d}/anat/sub-{n:05d}_{kind}.nii.gz" for n in range(number)]
            for kind in ("T1w", "T2w")
        }
        inputs = [pfs(kind, f"/(*)/anat/*_{kind}.nii.gz", join_on="$1") for kind in files]
        with without_collector():
            began = time.process_time()
            assert number == len(made(both("join", *inputs), files, limit=100_000))
            seconds.append(time.process_time() - began)
    assert seconds[1] < 12 * seconds[0]
